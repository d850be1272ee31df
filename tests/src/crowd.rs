//! Many volunteers who compute nothing: each takes its task, waits, and sends bits that are all the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use farsign::task::Task;
use farsign::wire::{ClientFrame, Hello, ServerRecord, read_server_frame};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::waiting;

/// A crowd at work; dropping it sends everybody home.
#[derive(Debug)]
pub struct Crowd {
    seen: Arc<Seen>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    welcomed: AtomicUsize,
    accepted: AtomicU64,
}

impl Crowd {
    /// Joins a server so many times, and waits until all are welcomed. Everybody answers `pause` after its task came.
    pub fn join(address: SocketAddr, size: usize, pause: Duration) -> Self {
        let seen = Arc::new(Seen::default());
        let (stop, stopping) = watch::channel(false);
        let thread = std::thread::spawn({
            let seen = Arc::clone(&seen);
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(work(address, size, pause, &seen, stopping));
            }
        });
        waiting::until_some("a crowd that is welcomed", || {
            (seen.welcomed.load(Ordering::Relaxed) == size).then_some(())
        });
        Self { seen, stop, thread: Some(thread) }
    }

    /// Answers that were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.seen.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.expect("it is joined once").expect("nobody of the crowd fails");
        }
    }
}

async fn work(
    address: SocketAddr,
    size: usize,
    pause: Duration,
    seen: &Arc<Seen>,
    stopping: watch::Receiver<bool>,
) {
    let mut all = JoinSet::new();
    for _ in 0..size {
        let (seen, mut stopping) = (Arc::clone(seen), stopping.clone());
        all.spawn(async move {
            tokio::select! {
                () = one(address, pause, &seen) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        });
    }
    while let Some(ended) = all.join_next().await {
        ended.expect("nobody panics");
    }
}

/// One of them, until the server ends its session.
async fn one(address: SocketAddr, pause: Duration, seen: &Seen) {
    let stream = TcpStream::connect(address).await.expect("the server takes connections");
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let opened = client_async_with_config(format!("ws://{address}/ws"), stream, Some(config)).await;
    let (mut socket, _) = opened.expect("the server opens sessions");
    let mut hello = Vec::new();
    ClientFrame::hello(&Hello { agent: "crowd", ..Hello::default() }, &mut hello);
    socket.send(Message::Binary(hello.into())).await.expect("it listens");
    let mut directions = 0;
    while let Some(task) = next_task(&mut socket, &mut directions, seen).await {
        tokio::time::sleep(pause).await;
        let mut frame = vec![1, 2]; // version, kind
        let bits = directions.div_ceil(8);
        frame.extend((8 + bits as u32).to_le_bytes());
        frame.extend(task.id.0.to_le_bytes());
        frame.resize(frame.len() + bits, 0);
        if socket.send(Message::Binary(frame.into())).await.is_err() {
            return;
        }
    }
}

/// None when the session has ended.
async fn next_task(
    socket: &mut WebSocketStream<TcpStream>,
    directions: &mut usize,
    seen: &Seen,
) -> Option<Task> {
    loop {
        let Message::Binary(frame) = socket.next().await?.ok()? else { continue };
        let mut next = None;
        for record in read_server_frame(&frame).expect("this version") {
            match record.expect("records that can be read") {
                ServerRecord::Welcome(welcome) => {
                    *directions = welcome.settings.directions.count();
                    seen.welcomed.fetch_add(1, Ordering::Relaxed);
                }
                ServerRecord::Accepted { .. } => _ = seen.accepted.fetch_add(1, Ordering::Relaxed),
                ServerRecord::Task(task) => next = Some(task),
                ServerRecord::Goodbye(_) => return None,
                _ => {}
            }
        }
        if next.is_some() {
            return next;
        }
    }
}
