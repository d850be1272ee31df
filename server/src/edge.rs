//! The edge: from a listening socket to requests, on an address that anybody may reach.
//!
//! ```text
//!   accept --place?--> TLS --> request header --> router --> response --> next header ... --> close, or a WebSocket
//!             |         |            |                        |              |
//!            no         +------------+                        |              |
//!                       header_timeout                   write_timeout   idle_timeout       each ends the connection
//! ```
//!
//! Whatever a connection may hold is bounded, and so is every wait for a client. A connection keeps its place until it
//! is closed, also as a WebSocket, whose other bounds are those of [`crate::session`].

pub mod files;
mod patience;
pub mod tls;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::admission::TrustedProxies;
use crate::admission::rate::Rate;
use crate::config::Config;
use crate::places::{Network, NoPlace, Place, Places};
use crate::switch::turned_on;

use patience::Patient;
use tls::Tls;

/// Bytes that a request's header may have, and that are buffered of a response.
const HTTP_BUFFER_BYTES: usize = 16 * 1024;

/// Rest after the system could give no connection, most likely because it has no more files; to ask it again at once
/// would only take the processor from those who could close some.
const ACCEPT_REST: Duration = Duration::from_millis(200);

/// Connections that the system keeps until they are taken, as far as its own limit allows. Too few make it drop those of
/// honest clients in a flood, which then try again after a second.
const BACKLOG: u32 = 4096;

/// Listens at an address.
///
/// # Errors
/// When the system does not let it.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    #[cfg(unix)]
    socket.set_reuseaddr(true)?; // a restart need not wait for the last connections to be forgotten
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct EdgeLimits {
    /// Connections at a time.
    pub max_connections: usize,
    /// Connections of one address at a time.
    pub max_connections_per_address: usize,
    /// Connections that one address may begin in a minute, at least 1.
    pub connections_per_minute: u32,
    /// From a connection to the end of its first request's header, a TLS handshake included.
    pub header_timeout: Duration,
    /// From the end of a response to the end of the next request's header.
    pub idle_timeout: Duration,
    /// Longest time in which nothing can be written to a client.
    pub write_timeout: Duration,
}

impl EdgeLimits {
    /// The places of connections.
    pub fn places(&self) -> Arc<Places> {
        Places::new(self.max_connections, self.max_connections_per_address)
    }
}

/// Why a connection is closed as soon as it is there.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    NoPlace(#[from] NoPlace),
    #[error("too many connections have come from this address in the last minute")]
    TooOften,
}

/// Who is on the other end of a connection: an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Takes connections and serves requests on them.
#[derive(Debug)]
pub struct Edge {
    limits: EdgeLimits,
    tls: Option<Tls>,
    trusted_proxies: TrustedProxies,
    places: Arc<Places>,
    /// Held for a look only; the one task that accepts connections is the only one to take it.
    rate: Mutex<Rate>,
    stopping: watch::Receiver<bool>,
}

impl Edge {
    /// An edge with these places that works until `stopping` turns true, with TLS if there is a certificate for it.
    pub fn new(config: &Config, places: Arc<Places>, stopping: watch::Receiver<bool>) -> Self {
        Self {
            limits: config.edge,
            tls: config.tls.clone(),
            trusted_proxies: config.admission.trusted_proxies.clone(),
            places,
            rate: Mutex::new(Rate::new(config.edge.connections_per_minute)),
            stopping,
        }
    }

    /// Serves until it is to stop, and then until every connection has ended that is no WebSocket. Dropping the future
    /// ends these at once.
    pub async fn serve(self, listener: TcpListener, router: Router) {
        let edge = Arc::new(self);
        let (mut connections, mut stopping) = (JoinSet::new(), edge.stopping.clone());
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = turned_on(&mut stopping) => break,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, peer)) => match edge.place(peer) {
                    Ok(place) => {
                        let edge = Arc::clone(&edge);
                        connections.spawn(edge.connection(stream, peer, place, router.clone()));
                    }
                    Err(why) => {
                        tracing::debug!(event = "connection_refused", %peer, %why, "turned a connection away");
                    }
                },
                Err(error) => {
                    tracing::warn!(event = "accept_failed", %error, "could not take a connection");
                    sleep(rest_after(&error)).await;
                }
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    /// A place; a proxy is many clients, so its connections are not counted for its address.
    fn place(&self, peer: SocketAddr) -> Result<Place, Refused> {
        let counted = !self.trusted_proxies.contain(peer.ip());
        let network = counted.then(|| Network::from(peer.ip()));
        if let Some(network) = network {
            let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
            rate.count(network, std::time::Instant::now()).map_err(|_| Refused::TooOften)?;
        }
        Ok(self.places.take(network)?)
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, place: Place, router: Router) {
        // An answer waits for its acknowledgement; Nagle's algorithm would hold that back.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(event = "nodelay_failed", %error, "could not turn Nagle's algorithm off");
        }
        let deadline = Instant::now() + self.limits.header_timeout;
        let stream = Patient::new(stream, self.limits.write_timeout, place);
        let Some(tls) = &self.tls else { return self.requests(stream, peer, deadline, router).await };
        let mut stopping = self.stopping.clone();
        let greeted = tokio::select! {
            greeted = timeout_at(deadline, tls.acceptor().accept(stream)) => greeted,
            () = turned_on(&mut stopping) => return,
        };
        match greeted {
            Ok(Ok(stream)) => self.requests(stream, peer, deadline, router).await,
            Ok(Err(error)) => tracing::debug!(event = "no_tls", %peer, %error, "no TLS"),
            Err(_) => tracing::debug!(event = "no_tls", %peer, "no TLS in time"),
        }
    }

    /// Serves requests on a connection, the first of which comes before the deadline, until it ends or becomes a
    /// WebSocket.
    async fn requests<S>(&self, stream: S, peer: SocketAddr, deadline: Instant, router: Router)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (asked, router) = (AtomicBool::new(false), TowerToHyperService::new(router));
        let service = service_fn(|mut request: hyper::Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(Peer(peer));
            router.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.idle_timeout)
            .max_buf_size(HTTP_BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection.with_upgrades());
        let mut stopping = self.stopping.clone();
        let late = async {
            sleep_until(deadline).await;
            if asked.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = late => return tracing::debug!(event = "no_request", %peer, "no request in time"),
            () = turned_on(&mut stopping) => {
                if !asked.load(Ordering::Relaxed) {
                    return; // nothing was asked for, so nothing is left to be said
                }
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(event = "connection_broke", %peer, %error, "a connection broke");
        }
    }
}

/// How long to rest after an attempt to take a connection failed: not at all when it was the client's doing.
fn rest_after(error: &io::Error) -> Duration {
    match error.kind() {
        io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionRefused => Duration::ZERO,
        _ => ACCEPT_REST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fault_of_this_machine_makes_the_server_rest() {
        const NO_MORE_FILES: i32 = 24;
        assert!(rest_after(&io::Error::from_raw_os_error(NO_MORE_FILES)) >= Duration::from_millis(100));
        assert!(rest_after(&io::ErrorKind::ConnectionAborted.into()).is_zero());
    }
}
