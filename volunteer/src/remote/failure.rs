//! The reasons why a server is not reached, in words that name what to change.

use std::io;

use tokio_rustls::rustls::{self, AlertDescription, CertificateError, InvalidMessage};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::error::{ProtocolError, SubProtocolError};
use tokio_tungstenite::tungstenite::http::{StatusCode, header};

use crate::server_url::ServerUrl;

/// Characters of a response that a description repeats.
const MAX_QUOTED_CHARACTERS: usize = 200;

const NO_WEBSOCKETS: &str = "a proxy between this machine and the server does not pass WebSockets; let it forward the \
                             headers Upgrade and Connection";

const USE_HTTPS: &str = "; if the server has a certificate, use https://";

/// Returns whether a later attempt may succeed: the server or a proxy may be starting, restarting or overloaded.
pub fn is_transient(error: &ureq::Error) -> bool {
    match error {
        // An invalid certificate, or a server without TLS.
        ureq::Error::Io(error) => error.kind() != io::ErrorKind::InvalidData,
        ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::ConnectProxyFailed(_) => true,
        _ => false,
    }
}

/// Returns whether a later request may have another status.
pub fn is_transient_status(status: StatusCode) -> bool {
    // 501 and 505 are not implemented, and stay so.
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
}

/// Describes a connection that a proxy did not open.
pub fn of_tunnel(reason: &str) -> String {
    let advice = if reason.contains("407") {
        "; write its user name and password into the variable, as in http://USER:PASSWORD@proxy.example:3128"
    } else {
        ""
    };
    format!("the proxy did not open a connection: {reason}{advice}")
}

/// Describes a failed download.
pub fn of_download(error: &ureq::Error, url: &ServerUrl) -> String {
    match error {
        ureq::Error::Io(error) => of_connection(error, url),
        ureq::Error::Rustls(error) => of_tls(error),
        ureq::Error::ConnectProxyFailed(reason) => of_tunnel(reason),
        ureq::Error::Protocol(_) if !url.is_secure() => {
            format!("the response is not HTTP ({error}){USE_HTTPS}")
        }
        ureq::Error::Timeout(_) => format!("{error}; is the server running?"),
        _ => error.to_string(),
    }
}

/// Describes a connection that was not opened or was lost.
pub fn of_connection(error: &io::Error, url: &ServerUrl) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    if let Some(error) = tls {
        return of_tls(error);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset if !url.is_secure() => {
            format!("the connection was closed without a response{USE_HTTPS}")
        }
        _ => format!("{error}; is the server running?"),
    }
}

fn of_tls(error: &rustls::Error) -> String {
    let advice = match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)
        | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            "; if the server has no certificate, use http://"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => {
            "; if an authority of your organisation issued the certificate, name its file with --ca-file or SSL_CERT_FILE"
        }
        _ => "",
    };
    format!("TLS failed: {error}{advice}")
}

/// Describes a response without the expected content.
pub fn of_response(status: StatusCode, body: &str, url: &ServerUrl) -> String {
    let quoted = quoted(body);
    match status.as_u16() {
        401 if url.authorization().is_some() => {
            "the user name and the password of the address were rejected (401)".to_owned()
        }
        401 => "a user name and a password are required (401); write them into the address, as in \
                https://USER:PASSWORD@farsign.example"
            .to_owned(),
        400 if !url.is_secure() && body.to_ascii_lowercase().contains("https") => {
            format!("the server expects https (400){quoted}; use https://")
        }
        404 => format!("there is no such page (404){quoted}; is the path of the address right?"),
        502..=504 => format!("a proxy in between does not reach the server ({status}){quoted}"),
        _ => format!("the server responded with {status}{quoted}"),
    }
}

/// Describes a WebSocket that was not opened.
pub fn of_socket(error: &tungstenite::Error, url: &ServerUrl) -> String {
    use ProtocolError::{
        MissingConnectionUpgradeHeader, MissingUpgradeWebSocketHeader,
        SecWebSocketAcceptKeyMismatch, SecWebSocketSubProtocolError, WrongHttpVersion,
    };
    match error {
        tungstenite::Error::Io(error) => of_connection(error, url),
        tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            let location = response.headers().get(header::LOCATION);
            let location = location.and_then(|value| value.to_str().ok());
            of_refusal(response.status(), location, body, url)
        }
        tungstenite::Error::Protocol(
            MissingConnectionUpgradeHeader
            | MissingUpgradeWebSocketHeader
            | SecWebSocketAcceptKeyMismatch
            | WrongHttpVersion
            | SecWebSocketSubProtocolError(SubProtocolError::NoSubProtocol),
        ) => format!("{NO_WEBSOCKETS} ({error})"),
        tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            "the connection was closed before the WebSocket was open".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Describes a response other than the upgrade to a WebSocket. The training data came from the same address, so a proxy
/// that knows only downloads is likely.
fn of_refusal(status: StatusCode, location: Option<&str>, body: &[u8], url: &ServerUrl) -> String {
    let body = String::from_utf8_lossy(body);
    match (status.as_u16(), location) {
        (300..=399, Some(location)) => format!(
            "the server redirects WebSockets to {location:.MAX_QUOTED_CHARACTERS$}; use that address, without /ws"
        ),
        (401 | 403 | 407 | 429 | 500 | 502..=504, _) => of_response(status, &body, url),
        // The server itself has noticed it, and knows no more.
        _ if body.contains("does not pass WebSockets") => format!("{NO_WEBSOCKETS} ({status})"),
        _ => format!(
            "{NO_WEBSOCKETS} (the response was {status}{})",
            quoted(&body)
        ),
    }
}

/// Returns the first line of a response as the end of a description, or nothing for a page.
fn quoted(body: &str) -> String {
    let line = body.lines().next().unwrap_or_default().trim();
    if line.is_empty() || line.starts_with('<') {
        return String::new();
    }
    let line: String = line
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_QUOTED_CHARACTERS)
        .collect();
    format!(": {line}")
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::http::Response;

    use super::*;

    #[test]
    fn temporary_faults_are_retried() {
        for status in [408, 429, 500, 502, 503, 504, 522] {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(is_transient_status(status), "{status}");
        }
        for kind in [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::UnexpectedEof,
        ] {
            assert!(is_transient(&io::Error::from(kind).into()), "{kind}");
        }
        assert!(is_transient(&ureq::Error::HostNotFound));
    }

    #[test]
    fn lasting_faults_are_not_retried() {
        for status in [400, 401, 403, 404, 410, 501, 505] {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(!is_transient_status(status), "{status}");
        }
        let certificate = io::Error::new(io::ErrorKind::InvalidData, "invalid peer certificate");
        assert!(!is_transient(&certificate.into()));
        assert!(!is_transient(&ureq::Error::TlsRequired));
    }

    fn url(text: &str) -> ServerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn wrong_scheme_names_the_other() {
        let tls = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        for error in [
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType),
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion),
        ] {
            let found = of_connection(&tls(error), &url("https://h"));
            assert!(found.ends_with("use http://"), "{found}");
        }
        let closed = io::ErrorKind::UnexpectedEof.into();
        let found = of_connection(&closed, &url("http://h"));
        assert!(found.ends_with("use https://"), "{found}");
        let hint = "this port expects https and found http; begin the address with https://";
        let nginx = "<html>The plain HTTP request was sent to HTTPS port</html>";
        for body in [hint, nginx] {
            let found = of_response(StatusCode::BAD_REQUEST, body, &url("http://h"));
            assert!(found.ends_with("use https://"), "{found}");
        }
    }

    #[test]
    fn unknown_authority_names_the_setting() {
        let error = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let found = of_tls(&error);
        assert!(found.contains("--ca-file"), "{found}");
    }

    fn socket_failure(status: u16, headers: &[(&str, &str)], body: &str) -> String {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Some(body.as_bytes().to_vec())).unwrap();
        of_socket(
            &tungstenite::Error::Http(Box::new(response)),
            &url("http://h"),
        )
    }

    #[test]
    fn missing_upgrade_names_the_proxy() {
        for status in [200, 400, 404, 426, 501] {
            let found = socket_failure(status, &[], "no upgrade\n");
            assert!(found.starts_with("a proxy between"), "{found}");
            assert!(
                found.contains("Upgrade") && found.contains(": no upgrade"),
                "{found}"
            );
        }
        let found = socket_failure(400, &[], "<html>");
        assert!(!found.contains('<'), "{found}");
    }

    #[test]
    fn refused_socket_names_the_remedy() {
        for (status, remedy) in [
            (401, "USER:PASSWORD@"),
            (403, "responded with 403 Forbidden: no"),
            (502, "does not reach the server (502 Bad Gateway)"),
        ] {
            let found = socket_failure(status, &[], "no");
            assert!(found.contains(remedy), "{found}");
        }
        let found = socket_failure(301, &[("location", "https://h/ws")], "");
        assert!(
            found.contains("redirects WebSockets to https://h/ws"),
            "{found}"
        );
        let given = of_response(StatusCode::UNAUTHORIZED, "", &url("http://u:p@h"));
        assert!(given.contains("rejected"), "{given}");
    }
}
