//! A TCP proxy that delays every byte, as a long line does.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use crate::http_tunnel::listen;

/// Chunks on the way in one direction of a connection.
const MAX_CHUNKS: usize = 4096;

/// A proxy whose threads run until the process ends.
#[derive(Debug)]
pub struct DelayingProxy {
    address: SocketAddr,
}

impl DelayingProxy {
    /// Starts a proxy to a server. Every byte arrives `delay` later, in both directions.
    ///
    /// # Errors
    /// Returns an error if the system has no free port.
    pub fn to(server: SocketAddr, delay: Duration) -> io::Result<Self> {
        // The client is dropped if there is no server.
        let address = listen(Ipv4Addr::LOCALHOST.into(), move |client| {
            connect(client, server, delay)
        })?;
        Ok(Self { address })
    }

    /// Returns the address that volunteers connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn connect(client: TcpStream, server: SocketAddr, delay: Duration) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    for (mut from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        let (chunks, line) = sync_channel(MAX_CHUNKS);
        std::thread::spawn(move || deliver(&line, to));
        std::thread::spawn(move || {
            let mut buffer = [0; 8 * 1024];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let chunk = (Instant::now() + delay, buffer[..count].to_vec());
                if chunks.send(chunk).is_err() {
                    break;
                }
            }
            _ = from.shutdown(Shutdown::Read); // the other end may have closed already
        });
    }
    Ok(())
}

/// Writes every chunk when it is due, and closes when the other end has.
fn deliver(line: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    for (due, chunk) in line {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&chunk).is_err() {
            break;
        }
    }
    _ = to.shutdown(Shutdown::Both); // the other end may have closed already
}
