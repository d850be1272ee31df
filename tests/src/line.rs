//! A bad line between volunteers and a server: it passes bytes on, until it is told to stall or to be cut.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::waiting::LOOK_EVERY;

/// The line. What was begun on it ends with the process.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    server: SocketAddr,
    stalled: AtomicBool,
    /// Both ends of every connection since the last cut.
    open: Mutex<Vec<TcpStream>>,
}

impl Line {
    /// One to this server, good so far.
    ///
    /// # Errors
    /// When the system gives no port.
    pub fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { server, stalled: AtomicBool::new(false), open: Mutex::default() });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || listener.incoming().flatten().for_each(|client| shared.join(client)));
        Ok(Self { address, state })
    }

    /// Its volunteers' end.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection, in the middle of whatever was on its way.
    pub fn cut(&self) {
        for end in self.state.open().drain(..) {
            _ = end.shutdown(Shutdown::Both); // one that has broken already is as good
        }
    }

    /// Holds everything back, or lets it go on.
    pub fn stall(&self, stalled: bool) {
        self.state.stalled.store(stalled, Ordering::Relaxed);
    }
}

impl State {
    fn open(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins a client with the server; drops it where there is no server, as a line to nowhere would.
    fn join(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(self.server) else { return };
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (Ok(from), Ok(to), Ok(kept)) = (from.try_clone(), to.try_clone(), from.try_clone()) else {
                return;
            };
            self.open().push(kept);
            let state = Arc::clone(self);
            std::thread::spawn(move || state.pass_on(from, to));
        }
    }

    fn pass_on(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 700]; // smaller than most frames, so that a cut can fall into one
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            while self.stalled.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK_EVERY);
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        _ = to.shutdown(Shutdown::Both); // the other end may have closed by itself
        _ = from.shutdown(Shutdown::Both);
    }
}
