//! A web server of some forty lines, with bad habits to choose from.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// How a path is answered; any other path is 404.
#[derive(Clone)]
pub enum Reply {
    /// With this.
    Ok(Vec<u8>),
    /// With the first half of this, then the connection closes.
    BreaksOff(Vec<u8>),
    /// With the first half of this, then nothing until the other side gives up.
    Stalls(Vec<u8>),
    /// Not at all, until the other side gives up.
    Silent,
}

/// A running server; stops when dropped.
pub struct Mirror {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mirror {
    pub fn start(replies: impl IntoIterator<Item = (String, Reply)>) -> Self {
        let replies: HashMap<String, Reply> = replies.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (requests, stopping) = (Arc::clone(&requests), Arc::clone(&stopping));
            move || {
                for stream in listener.incoming() {
                    if stopping.load(Ordering::SeqCst) {
                        return;
                    }
                    // One that gives up before it is answered is part of the game.
                    let _ = answer(stream.unwrap(), &replies, &requests);
                }
            }
        });
        Self { address, requests, stopping, thread: Some(thread) }
    }

    /// What file names are appended to.
    pub fn url(&self) -> String {
        format!("http://{}/mnist/", self.address)
    }

    /// The paths asked for so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the loop.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An address where nobody listens.
pub fn unreachable_mirror() -> String {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    format!("http://{address}/mnist/")
}

fn answer(
    mut stream: TcpStream,
    replies: &HashMap<String, Reply>,
    requests: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    requests.lock().unwrap().push(path.clone());
    let head = |status: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").into_bytes()
    };
    match replies.get(&path) {
        None => stream.write_all(&head("404 Not Found", 0)),
        Some(Reply::Ok(body)) => stream.write_all(&[head("200 OK", body.len()), body.clone()].concat()),
        Some(Reply::Silent) => wait_until_closed(&mut stream),
        Some(Reply::BreaksOff(body)) => {
            stream.write_all(&[&head("200 OK", body.len())[..], &body[..body.len() / 2]].concat())
        }
        Some(Reply::Stalls(body)) => {
            stream.write_all(&[&head("200 OK", body.len())[..], &body[..body.len() / 2]].concat())?;
            wait_until_closed(&mut stream)
        }
    }
}

fn wait_until_closed(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.read(&mut [0]).map(|_| ())
}
