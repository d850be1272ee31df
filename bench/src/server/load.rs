//! Clients that answer at once and compute nothing, so that what is measured is the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use farsign::sign::SignBits;
use farsign::task::TaskId;
use farsign::wire::{Abilities, ClientFrame, Hello, ServerRecord, read_server_frame};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// What clients are to do.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Where.
    pub address: SocketAddr,
    /// How many.
    pub clients: usize,
    /// Signs of an answer, `K`.
    pub directions: usize,
}

/// Clients at work. They stop when this is dropped.
#[derive(Debug)]
pub struct Load {
    /// Runs the clients as long as it lives.
    _runtime: Runtime,
    clients: JoinSet<anyhow::Result<()>>,
    exchanges: Arc<AtomicU64>,
}

impl Load {
    /// Clients that join a server and answer its tasks.
    pub fn volunteers(options: LoadOptions) -> anyhow::Result<Self> {
        Self::start(options, answer)
    }

    /// Clients that send messages of the size of an answer and wait for what comes back.
    pub fn echoed(options: LoadOptions) -> anyhow::Result<Self> {
        Self::start(options, send_again)
    }

    fn start<F: Future<Output = anyhow::Result<()>> + Send + 'static>(
        options: LoadOptions,
        work: impl Fn(LoadOptions, Socket, Arc<AtomicU64>) -> F,
    ) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (mut clients, exchanges) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
        for _ in 0..options.clients {
            let socket = runtime.block_on(connect(options.address))?;
            clients.spawn_on(work(options, socket, Arc::clone(&exchanges)), runtime.handle());
        }
        Ok(Self { _runtime: runtime, clients, exchanges })
    }

    /// Exchanges within a time, and how long it really was.
    pub fn count(&mut self, time: Duration) -> anyhow::Result<(u64, Duration)> {
        let (before, begun) = (self.exchanges.load(Ordering::Relaxed), Instant::now());
        std::thread::sleep(time); // what is measured is how much happens in it
        let counted = (self.exchanges.load(Ordering::Relaxed) - before, begun.elapsed());
        match self.clients.try_join_next() {
            None => Ok(counted),
            Some(ended) => ended?.and_then(|()| bail!("a client stopped before it was told to")),
        }
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn connect(address: SocketAddr) -> anyhow::Result<Socket> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("no server at {address}"))?;
    stream.set_nodelay(true)?;
    Ok(client_async(format!("ws://{address}/ws"), stream).await?.0)
}

async fn answer(options: LoadOptions, mut socket: Socket, accepted: Arc<AtomicU64>) -> anyhow::Result<()> {
    let mut frame = Vec::new();
    let abilities = Abilities { deltas: true, ..Abilities::default() };
    ClientFrame::hello(&Hello { agent: "farsign-bench", abilities, ..Hello::default() }, &mut frame);
    // Half of the signs up, half down, so that the model stays near where it is.
    let half: Vec<f32> = (0..options.directions).map(|k| if k % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let mut signs = SignBits::default();
    signs.set_from(&half, 0);
    loop {
        socket.send(Message::Binary(Bytes::from(std::mem::take(&mut frame)))).await?;
        let Message::Binary(said) = next(&mut socket).await? else { continue };
        let task = task_of(&said, &accepted)?;
        ClientFrame::answer(task, &signs, &mut frame);
    }
}

/// The task in a frame; counts what it accepts.
fn task_of(frame: &[u8], accepted: &AtomicU64) -> anyhow::Result<TaskId> {
    let mut task = None;
    for record in read_server_frame(frame)? {
        match record? {
            ServerRecord::Task(next) => task = Some(next.id),
            ServerRecord::Accepted { .. } => _ = accepted.fetch_add(1, Ordering::Relaxed),
            ServerRecord::Rejected { reason, .. } => bail!("an answer was rejected: {reason}"),
            ServerRecord::Goodbye(goodbye) => bail!("the server said goodbye: {}", goodbye.reason),
            _ => {}
        }
    }
    task.context("the server sent a frame without a task")
}

async fn send_again(options: LoadOptions, mut socket: Socket, echoed: Arc<AtomicU64>) -> anyhow::Result<()> {
    let mut frame = Vec::new();
    let mut signs = SignBits::default();
    signs.set_from(&vec![1.0; options.directions], 0);
    loop {
        ClientFrame::answer(TaskId(1), &signs, &mut frame);
        socket.send(Message::Binary(Bytes::from(std::mem::take(&mut frame)))).await?;
        let Message::Binary(_) = next(&mut socket).await? else { continue };
        echoed.fetch_add(1, Ordering::Relaxed);
    }
}

async fn next(socket: &mut Socket) -> anyhow::Result<Message> {
    socket.next().await.context("the server closed a connection")?.context("a connection broke")
}
