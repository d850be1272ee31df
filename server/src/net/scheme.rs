//! The protocol that a client speaks, and the response to one that speaks the wrong one.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// First byte of a TLS connection: a record of type handshake. No method of HTTP begins with it.
const TLS_HANDSHAKE: u8 = 22;

/// A TLS record with the fatal alert `protocol_version`: this port supports no version of TLS.
const NO_TLS_ALERT: [u8; 7] = [21, 3, 1, 0, 2, 2, 70];

/// Time to send the alert, and for the client to close its side.
const ALERT_TIMEOUT: Duration = Duration::from_secs(1);

/// The protocol of a connection, from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// TLS.
    Https,
    /// HTTP, or anything else without TLS.
    Http,
}

impl Scheme {
    /// Waits for the first byte of a connection, which stays unread. `None` if the client closed it.
    pub async fn of(stream: &TcpStream) -> io::Result<Option<Self>> {
        let mut first = [0];
        let count = stream.peek(&mut first).await?;
        Ok((count > 0).then_some(match first {
            [TLS_HANDSHAKE] => Self::Https,
            _ => Self::Http,
        }))
    }
}

/// Responds to every request on the TLS port that came without TLS.
pub(super) fn https_expected() -> Router {
    const HINT: &str = "this port expects https and found http; begin the address with https://\n";
    Router::new().fallback(async || {
        (
            StatusCode::BAD_REQUEST,
            [(header::CONNECTION, "close")],
            HINT,
        )
    })
}

/// Ends a TLS connection to the port without TLS.
pub(super) async fn send_no_tls_alert(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let alert = async {
        stream.write_all(&NO_TLS_ALERT).await?;
        stream.shutdown().await?;
        // Closing with unread bytes resets the connection, and the alert could be lost.
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    _ = timeout(ALERT_TIMEOUT, alert).await; // the client may be gone
}
