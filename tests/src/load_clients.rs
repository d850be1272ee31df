//! Clients that compute nothing: each receives its task, waits, and sends an update of constant bits.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use farsign::task::Task;
use farsign::wire::{ClientFrame, Hello, ServerRecord, VERSION, read_server_frame};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::wait;

/// A group of clients on one thread. Dropping it disconnects them.
#[derive(Debug)]
pub struct LoadClients {
    stats: Arc<ClientStats>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct ClientStats {
    welcomed: AtomicUsize,
    accepted: AtomicU64,
}

impl LoadClients {
    /// Connects `count` clients, and waits until all are welcomed. Each sends its update `delay` after its task.
    pub fn join(address: SocketAddr, count: usize, delay: Duration) -> Self {
        let stats = Arc::new(ClientStats::default());
        let (stop, stopping) = watch::channel(false);
        let thread = std::thread::spawn({
            let stats = Arc::clone(&stats);
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                runtime
                    .expect("a runtime")
                    .block_on(run(address, count, delay, &stats, stopping));
            }
        });
        wait::wait_for_some("the welcome of all clients", || {
            (stats.welcomed.load(Ordering::Relaxed) == count).then_some(())
        });
        Self {
            stats,
            stop,
            thread: Some(thread),
        }
    }

    /// Returns the number of accepted updates.
    pub fn accepted(&self) -> u64 {
        self.stats.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for LoadClients {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let joined = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            joined
                .expect("the thread is joined once")
                .expect("no client fails");
        }
    }
}

async fn run(
    address: SocketAddr,
    count: usize,
    delay: Duration,
    stats: &Arc<ClientStats>,
    stopping: watch::Receiver<bool>,
) {
    let mut clients = JoinSet::new();
    for _ in 0..count {
        let stats = Arc::clone(stats);
        let mut stopping = stopping.clone();
        clients.spawn(async move {
            tokio::select! {
                () = run_client(address, delay, &stats) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("no client panics");
    }
}

/// Runs one client until the server ends its session.
async fn run_client(address: SocketAddr, delay: Duration, stats: &ClientStats) {
    let stream = TcpStream::connect(address)
        .await
        .expect("the server accepts connections");
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let opened = client_async_with_config(format!("ws://{address}/ws"), stream, Some(config)).await;
    let (mut socket, _) = opened.expect("the server opens a WebSocket");
    let mut hello = Vec::new();
    ClientFrame::hello(
        &Hello {
            agent: "load",
            ..Hello::default()
        },
        &mut hello,
    );
    socket
        .send(Message::Binary(hello.into()))
        .await
        .expect("the server reads");
    let mut directions = 0;
    let mut tasks = VecDeque::new();
    while let Some(task) = next_task(&mut socket, &mut directions, &mut tasks, stats).await {
        tokio::time::sleep(delay).await;
        let mut frame = vec![VERSION, 2]; // kind
        let bits = directions.div_ceil(8);
        frame.extend((8 + bits as u32).to_le_bytes());
        frame.extend(task.id.0.to_le_bytes());
        frame.resize(frame.len() + bits, 0);
        if socket.send(Message::Binary(frame.into())).await.is_err() {
            return;
        }
    }
}

/// Returns the next task, or `None` if the session has ended.
async fn next_task(
    socket: &mut WebSocketStream<TcpStream>,
    directions: &mut usize,
    tasks: &mut VecDeque<Task>,
    stats: &ClientStats,
) -> Option<Task> {
    loop {
        if let Some(task) = tasks.pop_front() {
            return Some(task);
        }
        let Message::Binary(frame) = socket.next().await?.ok()? else {
            continue;
        };
        for record in read_server_frame(&frame).expect("a frame of this version") {
            match record.expect("a valid record") {
                ServerRecord::Welcome(welcome) => {
                    *directions = welcome.settings.directions.count();
                    stats.welcomed.fetch_add(1, Ordering::Relaxed);
                }
                ServerRecord::Accepted { .. } => _ = stats.accepted.fetch_add(1, Ordering::Relaxed),
                ServerRecord::Task(task) => tasks.push_back(task),
                ServerRecord::Goodbye(_) => return None,
                _ => {}
            }
        }
    }
}
