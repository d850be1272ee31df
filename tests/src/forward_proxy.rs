//! An HTTP proxy on the volunteer's side, which opens tunnels (`CONNECT`).

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::http_tunnel::{forward, header, listen, read_head, write_head};

/// A proxy whose threads run until the process ends. All its tunnels lead to one server, so that any name resolves.
#[derive(Debug)]
pub struct ForwardProxy {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<TunnelRequest>>>,
}

/// A request for a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelRequest {
    /// Name and port of the server.
    pub target: String,
    /// The value of `Proxy-Authorization`; empty without one.
    pub authorization: String,
}

impl ForwardProxy {
    /// Starts a proxy.
    ///
    /// # Errors
    /// Returns an error if the system has no free port.
    pub fn to(server: SocketAddr) -> io::Result<Self> {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let address = listen(Ipv4Addr::LOCALHOST.into(), move |client| {
            serve(client, server, &log)
        })?;
        Ok(Self { address, requests })
    }

    /// Returns the address of the proxy.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> Vec<TunnelRequest> {
        lock(&self.requests).clone()
    }
}

fn lock(requests: &Mutex<Vec<TunnelRequest>>) -> std::sync::MutexGuard<'_, Vec<TunnelRequest>> {
    requests.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(
    mut client: TcpStream,
    server: SocketAddr,
    requests: &Mutex<Vec<TunnelRequest>>,
) -> io::Result<()> {
    let head = read_head(&mut client)?;
    let target = head[0]
        .strip_prefix("CONNECT ")
        .and_then(|line| line.strip_suffix(" HTTP/1.1"));
    let Some(target) = target else {
        return write_head(&mut client, &["HTTP/1.1 405 Method Not Allowed".to_owned()]);
    };
    lock(requests).push(TunnelRequest {
        target: target.to_owned(),
        authorization: header(&head, "proxy-authorization")
            .unwrap_or_default()
            .to_owned(),
    });
    let server = TcpStream::connect(server)?;
    write_head(
        &mut client,
        &["HTTP/1.1 200 Connection established".to_owned()],
    )?;
    forward(&client, &server)
}
