//! The sockets that a server listens on: one for each address of its name.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::net::listen_address::ListenAddress;

/// Connections that the system queues before they are accepted, up to its own limit. A short queue drops honest
/// clients in a flood, and they retry after a second.
const BACKLOG: u32 = 4096;

/// Listening sockets, at least one.
#[derive(Debug)]
pub struct ListenSockets(Vec<TcpListener>);

/// Binds listening sockets to all addresses of a name, for example to `127.0.0.1` and `::1` for localhost.
///
/// Of several addresses, those that this machine does not have are left out. All have the same port, also if the system
/// chooses it.
///
/// # Errors
/// Returns an error if the name has no address, the system refuses all addresses, or one of them is in use.
pub fn bind(address: &ListenAddress) -> io::Result<ListenSockets> {
    let addresses = address.resolve()?;
    let mut sockets: Vec<TcpListener> = Vec::new();
    let mut refused = None;
    for mut address in addresses {
        if let (Some(first), 0) = (sockets.first(), address.port()) {
            address.set_port(first.local_addr()?.port());
        }
        match bind_one(address) {
            Ok(socket) => sockets.push(socket),
            // Browsers could open the page of another program.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    match refused {
        Some(error) if sockets.is_empty() => Err(error),
        _ => Ok(ListenSockets(sockets)),
    }
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    #[cfg(unix)]
    socket.set_reuseaddr(true)?; // a restart does not wait for the last connections to time out
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl ListenSockets {
    /// Returns the addresses of the sockets.
    ///
    /// # Errors
    /// Returns an error if the system does not know an address.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.0.iter().map(TcpListener::local_addr).collect()
    }

    /// Returns the address of the first socket.
    ///
    /// # Errors
    /// Returns an error if the system does not know it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0[0].local_addr()
    }

    /// Accepts the next connection of any socket.
    ///
    /// # Errors
    /// Returns an error if the system cannot accept a connection.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| {
            let mut polled = self.0.iter().map(|socket| socket.poll_accept(context));
            polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_addresses_share_a_port() {
        let sockets = bind(&"localhost:0".parse().unwrap()).unwrap();
        let addresses = sockets.local_addrs().unwrap();
        for address in &addresses {
            assert_eq!(address.port(), addresses[0].port());
            let client = TcpStream::connect(address).await.unwrap();
            let (_, peer) = sockets.accept().await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
        }
    }

    #[tokio::test]
    async fn foreign_address_is_an_error() {
        let documentation = ([192, 0, 2, 1], 0).into(); // no machine has this address
        assert!(bind(&documentation).is_err());
    }
}
