//! A minimal HTTP server with selectable faults.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// The response to a path. Other paths are 404.
#[derive(Clone)]
pub enum Reply {
    /// The body.
    Ok(Vec<u8>),
    /// The first half of the body, then the connection closes.
    Interrupted(Vec<u8>),
    /// The first half of the body, then nothing until the client times out.
    Stalls(Vec<u8>),
    /// Nothing, until the client times out.
    Silent,
}

/// A running server, stopped on drop.
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
            let requests = Arc::clone(&requests);
            let stopping = Arc::clone(&stopping);
            move || {
                for stream in listener.incoming() {
                    if stopping.load(Ordering::SeqCst) {
                        return;
                    }
                    // Some tests disconnect before the response.
                    let _ = respond(stream.unwrap(), &replies, &requests);
                }
            }
        });
        Self {
            address,
            requests,
            stopping,
            thread: Some(thread),
        }
    }

    /// Returns the URL to which file names are appended.
    pub fn url(&self) -> String {
        format!("http://{}/mnist/", self.address)
    }

    /// Returns the requested paths so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Unblocks the accept loop.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns the URL of a closed port.
pub fn unreachable_mirror() -> String {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    format!("http://{address}/mnist/")
}

fn respond(
    mut stream: TcpStream,
    replies: &HashMap<String, Reply>,
    requests: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    requests.lock().unwrap().push(path.clone());
    let head = |status: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
            .into_bytes()
    };
    match replies.get(&path) {
        None => stream.write_all(&head("404 Not Found", 0)),
        Some(Reply::Ok(body)) => {
            stream.write_all(&[head("200 OK", body.len()), body.clone()].concat())
        }
        Some(Reply::Silent) => wait_until_closed(&mut stream),
        Some(Reply::Interrupted(body)) => {
            stream.write_all(&[&head("200 OK", body.len())[..], &body[..body.len() / 2]].concat())
        }
        Some(Reply::Stalls(body)) => {
            stream
                .write_all(&[&head("200 OK", body.len())[..], &body[..body.len() / 2]].concat())?;
            wait_until_closed(&mut stream)
        }
    }
}

fn wait_until_closed(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.read(&mut [0]).map(|_| ())
}
