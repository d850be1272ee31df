//! The listener: from an accepted socket to HTTP requests, on an address that any client may reach.
//!
//! ```text
//!   accept --permit?--> scheme? --> TLS --> request header --> router --> response --> next header ... --> close, or a
//!             |         |                         |                        |              |                 WebSocket
//!            no         +-------------------------+                        |              |
//!                             header_timeout                          write_timeout   idle_timeout
//! ```
//!
//! Each timeout ends the connection. All resources of a connection are bounded, and so is every wait for a client. A connection holds its permit until
//! it closes, also as a WebSocket. The session has further limits of its own.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::net::client_addr::ClientAddr;
use crate::net::connection_limiter::{ConnectionLimiter, LimitReached, Permit};
use crate::net::egress::{ConnectionEgress, Egress};
use crate::net::listen_sockets::ListenSockets;
use crate::net::log_limiter::LogLimiter;
use crate::net::rate_limiter::RateLimiter;
use crate::net::scheme::{Scheme, https_expected, send_no_tls_alert};
use crate::net::tls::TlsConfig;
use crate::net::trusted_proxy::TrustedProxies;
use crate::net::write_timeout::WriteTimeoutStream;
use crate::shutdown::cancelled;

/// Longest request header, and largest buffered part of a response.
const HTTP_BUFFER_BYTES: usize = 16 * 1024;

/// Pause after the system failed to accept a connection, most likely because file descriptors ran out. Retrying at once
/// would take the CPU from the connections that could close.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(200);

/// Time between two warnings about clients that use https without TLS here, or http with it.
const SCHEME_WARNING_INTERVAL: Duration = Duration::from_mins(1);

/// Limits of connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Concurrent connections.
    pub max_connections: usize,
    /// Concurrent connections of one client address.
    pub max_connections_per_address: usize,
    /// New connections of one client address per minute, at least 1.
    pub connections_per_minute: u32,
    /// From the accepted connection to the end of its first request header, a TLS handshake included.
    pub header_timeout: Duration,
    /// From the end of a response to the end of the next request header.
    pub idle_timeout: Duration,
    /// Longest time without progress of a write.
    pub write_timeout: Duration,
}

/// Options of a [`Listener`].
#[derive(Clone, Debug)]
pub struct ListenerOptions {
    /// Limits of connections.
    pub limits: ConnectionLimits,
    /// Certificate and key; `None` without TLS.
    pub tls: Option<TlsConfig>,
    /// Proxies whose connections do not count for their address.
    pub trusted_proxies: TrustedProxies,
}

impl ConnectionLimits {
    /// Creates the limiter of connections.
    pub fn limiter(&self) -> Arc<ConnectionLimiter> {
        ConnectionLimiter::new(self.max_connections, self.max_connections_per_address)
    }
}

/// The reason for which a connection is closed right after it was accepted.
#[derive(Debug, thiserror::Error)]
enum AcceptError {
    #[error(transparent)]
    Limit(#[from] LimitReached),
    #[error("the connection rate of this address is exceeded")]
    Rate,
}

/// The other end of a connection: an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// The other end of a connection, with what is sent to it.
struct Peer {
    address: SocketAddr,
    egress: ConnectionEgress,
}

/// A listener that accepts connections and serves requests on them.
#[derive(Debug)]
pub struct Listener {
    options: ListenerOptions,
    permits: Arc<ConnectionLimiter>,
    egress: Arc<Egress>,
    /// Locked by the accept loop only, and never across an await point.
    rate: Mutex<RateLimiter>,
    scheme_warnings: LogLimiter,
    shutdown: watch::Receiver<bool>,
}

impl Listener {
    /// Creates a listener that works until `shutdown` becomes true.
    pub fn new(
        options: ListenerOptions,
        permits: Arc<ConnectionLimiter>,
        egress: Arc<Egress>,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let rate = Mutex::new(RateLimiter::new(options.limits.connections_per_minute));
        Self {
            options,
            permits,
            egress,
            rate,
            scheme_warnings: LogLimiter::new(SCHEME_WARNING_INTERVAL),
            shutdown,
        }
    }

    /// Serves until the shutdown, and then until every connection has ended that is not a WebSocket. Dropping the
    /// future ends these at once.
    pub async fn serve(self, sockets: ListenSockets, router: Router) {
        let listener = Arc::new(self);
        let mut connections = JoinSet::new();
        let mut shutdown = listener.shutdown.clone();
        loop {
            let accepted = tokio::select! {
                accepted = sockets.accept() => accepted,
                () = cancelled(&mut shutdown) => break,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, peer)) => match listener.acquire_permit(peer) {
                    Ok(permit) => {
                        let listener = Arc::clone(&listener);
                        connections.spawn(listener.handle_connection(
                            stream,
                            peer,
                            permit,
                            router.clone(),
                        ));
                    }
                    Err(error) => {
                        tracing::debug!(event = "connection_refused", %peer, %error, "connection refused");
                    }
                },
                Err(error) => {
                    tracing::warn!(event = "accept_failed", %error, "accept failed");
                    sleep(accept_backoff(&error)).await;
                }
            }
        }
        drop(sockets);
        while connections.join_next().await.is_some() {}
    }

    /// Acquires a permit. A trusted proxy carries many clients, so its connections do not count for its address.
    fn acquire_permit(&self, peer: SocketAddr) -> Result<Permit, AcceptError> {
        let client = self.client_of(peer);
        if let Some(client) = client {
            self.rate
                .lock()
                .check(client, std::time::Instant::now())
                .map_err(|_| AcceptError::Rate)?;
        }
        Ok(self.permits.acquire(client)?)
    }

    /// Returns the client of a connection; `None` for a trusted proxy, which carries many.
    fn client_of(&self, peer: SocketAddr) -> Option<ClientAddr> {
        let is_proxy = self.options.trusted_proxies.contains(peer.ip());
        (!is_proxy).then(|| ClientAddr::from(peer.ip()))
    }

    async fn handle_connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        permit: Permit,
        router: Router,
    ) {
        // Volunteers wait for acknowledgements, and Nagle's algorithm would delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(event = "nodelay_failed", %error, "TCP_NODELAY not set");
        }
        let limits = &self.options.limits;
        let deadline = Instant::now() + limits.header_timeout;
        let Some(scheme) = self.scheme_of(&stream, peer, deadline).await else {
            return;
        };
        let egress = self.egress.connection(self.client_of(peer));
        let stream = WriteTimeoutStream::new(stream, limits.write_timeout, egress.clone(), permit);
        let address = peer;
        let peer = Peer { address, egress };
        match (&self.options.tls, scheme) {
            (None, Scheme::Http) => self.serve_http(stream, peer, deadline, router).await,
            (Some(tls), Scheme::Https) => {
                self.serve_https(stream, tls, peer, deadline, router).await;
            }
            (None, Scheme::Https) => {
                self.warn_scheme(
                    address,
                    "https",
                    "the server has no certificate; use http://, or set tls-cert and tls-key",
                );
                send_no_tls_alert(stream).await;
            }
            (Some(_), Scheme::Http) => {
                self.warn_scheme(
                    address,
                    "http",
                    "the server has a certificate; use https://",
                );
                self.serve_http(stream, peer, deadline, https_expected())
                    .await;
            }
        }
    }

    /// Waits for the scheme of a connection. `None` if the connection ended, timed out, or the server shuts down.
    async fn scheme_of(
        &self,
        stream: &TcpStream,
        peer: SocketAddr,
        deadline: Instant,
    ) -> Option<Scheme> {
        let mut shutdown = self.shutdown.clone();
        let scheme = tokio::select! {
            scheme = timeout_at(deadline, Scheme::of(stream)) => scheme,
            () = cancelled(&mut shutdown) => return None,
        };
        match scheme {
            Ok(Ok(scheme)) => scheme,
            Ok(Err(error)) => {
                tracing::debug!(event = "connection_lost", %peer, %error, "connection lost");
                None
            }
            Err(_) => {
                tracing::debug!(event = "request_timeout", %peer, "request timed out");
                None
            }
        }
    }

    /// Logs a client that uses the wrong scheme, rarely because any client can cause it.
    fn warn_scheme(&self, peer: SocketAddr, found: &str, hint: &str) {
        if let Some(suppressed) = self.scheme_warnings.permit(std::time::Instant::now()) {
            tracing::warn!(event = "wrong_scheme", %peer, found, hint, suppressed, "wrong scheme refused");
        }
    }

    /// Serves requests on a connection after its TLS handshake.
    async fn serve_https(
        &self,
        stream: WriteTimeoutStream<TcpStream>,
        tls: &TlsConfig,
        peer: Peer,
        deadline: Instant,
        router: Router,
    ) {
        let mut shutdown = self.shutdown.clone();
        let handshake = tokio::select! {
            handshake = timeout_at(deadline, tls.acceptor().accept(stream)) => handshake,
            () = cancelled(&mut shutdown) => return,
        };
        let address = peer.address;
        match handshake {
            Ok(Ok(stream)) => self.serve_http(stream, peer, deadline, router).await,
            Ok(Err(error)) => {
                tracing::debug!(event = "tls_failed", peer = %address, %error, "TLS handshake failed");
            }
            Err(_) => {
                tracing::debug!(event = "tls_failed", peer = %address, "TLS handshake timed out");
            }
        }
    }

    /// Serves requests on a connection until it ends or becomes a WebSocket. The first request must start before the
    /// deadline.
    async fn serve_http<S>(&self, stream: S, peer: Peer, deadline: Instant, router: Router)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Peer {
            address: peer,
            egress,
        } = peer;
        let requested = AtomicBool::new(false);
        let router = TowerToHyperService::new(router);
        let service = service_fn(|mut request: hyper::Request<Incoming>| {
            requested.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(PeerAddr(peer));
            request.extensions_mut().insert(egress.clone());
            router.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.options.limits.idle_timeout)
            .max_buf_size(HTTP_BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection.with_upgrades());
        let mut shutdown = self.shutdown.clone();
        let request_timeout = async {
            sleep_until(deadline).await;
            if requested.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = request_timeout => return tracing::debug!(event = "request_timeout", %peer, "request timed out"),
            () = cancelled(&mut shutdown) => {
                if !requested.load(Ordering::Relaxed) {
                    return; // no request is in progress, so no response is due
                }
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(event = "connection_lost", %peer, %error, "connection lost");
        }
    }
}

/// Returns the pause after a failed accept: none if the client caused the failure.
fn accept_backoff(error: &io::Error) -> Duration {
    match error.kind() {
        io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionRefused => Duration::ZERO,
        _ => ACCEPT_BACKOFF,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_backs_off_after_local_faults() {
        const EMFILE: i32 = 24;
        assert!(
            accept_backoff(&io::Error::from_raw_os_error(EMFILE)) >= Duration::from_millis(100)
        );
        assert!(accept_backoff(&io::ErrorKind::ConnectionAborted.into()).is_zero());
    }
}
