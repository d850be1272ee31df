//! A TCP proxy between volunteers and a server that stalls or breaks connections on request.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::wait::POLL_INTERVAL;

/// A proxy whose threads run until the process ends.
#[derive(Debug)]
pub struct FlakyProxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    server: SocketAddr,
    stalled: AtomicBool,
    /// Both ends of every connection since the last disconnect.
    open: Mutex<Vec<TcpStream>>,
}

impl FlakyProxy {
    /// Starts a proxy to a server.
    ///
    /// # Errors
    /// Returns an error if the system has no free port.
    pub fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            server,
            stalled: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            listener
                .incoming()
                .flatten()
                .for_each(|client| shared.connect(client));
        });
        Ok(Self { address, state })
    }

    /// Returns the address that volunteers connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection, possibly in the middle of a frame.
    pub fn disconnect(&self) {
        for end in self.state.open().drain(..) {
            _ = end.shutdown(Shutdown::Both); // the connection may be broken already
        }
    }

    /// Stops forwarding bytes until [`resume`](Self::resume).
    pub fn stall(&self) {
        self.state.stalled.store(true, Ordering::Relaxed);
    }

    /// Resumes forwarding bytes.
    pub fn resume(&self) {
        self.state.stalled.store(false, Ordering::Relaxed);
    }
}

impl State {
    fn open(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects a client to the server, or drops the client if there is no server.
    fn connect(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(self.server) else {
            return;
        };
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (Ok(from), Ok(to), Ok(open)) = (from.try_clone(), to.try_clone(), from.try_clone())
            else {
                return;
            };
            self.open().push(open);
            let state = Arc::clone(self);
            std::thread::spawn(move || state.forward(from, to));
        }
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 700]; // smaller than most frames, so that disconnects split frames
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            while self.stalled.load(Ordering::Relaxed) {
                std::thread::sleep(POLL_INTERVAL);
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        _ = to.shutdown(Shutdown::Both); // the other end may have closed already
        _ = from.shutdown(Shutdown::Both);
    }
}
