//! Load clients that send updates immediately, without computing them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use farsign::sign::SignBits;
use farsign::task::TaskId;
use farsign::wire::{ClientFrame, Hello, ServerRecord, read_server_frame};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Options of the load.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Address of the server.
    pub address: SocketAddr,
    /// Number of clients.
    pub clients: usize,
    /// Number of signs of an update, `K`.
    pub directions: usize,
}

/// Running load clients. Stopped on drop.
#[derive(Debug)]
pub struct Load {
    /// Runtime of the clients.
    _runtime: Runtime,
    clients: JoinSet<anyhow::Result<()>>,
    exchanges: Arc<AtomicU64>,
}

impl Load {
    /// Starts clients that join a server and send updates for its tasks.
    ///
    /// # Errors
    ///
    /// Returns an error if a client cannot connect.
    pub fn volunteers(options: LoadOptions) -> anyhow::Result<Self> {
        Self::start(options, send_updates)
    }

    /// Starts clients that send frames of the size of an update and wait for the echo.
    ///
    /// # Errors
    ///
    /// Returns an error if a client cannot connect.
    pub fn echo_clients(options: LoadOptions) -> anyhow::Result<Self> {
        Self::start(options, send_to_echo)
    }

    fn start<F: Future<Output = anyhow::Result<()>> + Send + 'static>(
        options: LoadOptions,
        run: impl Fn(LoadOptions, Socket, Arc<AtomicU64>) -> F,
    ) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let mut clients = JoinSet::new();
        let exchanges = Arc::new(AtomicU64::new(0));
        for _ in 0..options.clients {
            let socket = runtime.block_on(connect(options.address))?;
            clients.spawn_on(
                run(options, socket, Arc::clone(&exchanges)),
                runtime.handle(),
            );
        }
        Ok(Self {
            _runtime: runtime,
            clients,
            exchanges,
        })
    }

    /// Counts exchanges for about `time`. Returns their number and the exact duration.
    ///
    /// # Errors
    ///
    /// Returns an error if a client has stopped.
    pub fn count(&mut self, time: Duration) -> anyhow::Result<(u64, Duration)> {
        let before = self.exchanges.load(Ordering::Relaxed);
        let started = Instant::now();
        std::thread::sleep(time); // the clients run in the meantime
        let counted = (
            self.exchanges.load(Ordering::Relaxed) - before,
            started.elapsed(),
        );
        match self.clients.try_join_next() {
            None => Ok(counted),
            Some(ended) => ended?.and_then(|()| bail!("a client stopped early")),
        }
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn connect(address: SocketAddr) -> anyhow::Result<Socket> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("no server at {address}"))?;
    stream.set_nodelay(true)?;
    Ok(client_async(format!("ws://{address}/ws"), stream).await?.0)
}

async fn send_updates(
    options: LoadOptions,
    mut socket: Socket,
    accepted: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let mut frame = Vec::new();
    ClientFrame::hello(
        &Hello {
            agent: "farsign-bench",
            ..Hello::default()
        },
        &mut frame,
    );
    // Half of the signs positive, half negative.
    let half: Vec<f32> = (0..options.directions)
        .map(|k| if k % 2 == 0 { 1.0 } else { -1.0 })
        .collect();
    let mut signs = SignBits::default();
    signs.copy_from(&half, 0);
    let mut tasks = VecDeque::new();
    loop {
        socket
            .send(Message::Binary(Bytes::from(std::mem::take(&mut frame))))
            .await?;
        while tasks.is_empty() {
            if let Message::Binary(reply) = next(&mut socket).await? {
                take_tasks(&reply, &mut tasks, &accepted)?;
            }
        }
        let task = tasks.pop_front().context("a task")?;
        ClientFrame::update(task, &signs, &mut frame);
    }
}

/// Takes the tasks of a frame, and counts its accepted updates.
fn take_tasks(
    frame: &[u8],
    tasks: &mut VecDeque<TaskId>,
    accepted: &AtomicU64,
) -> anyhow::Result<()> {
    for record in read_server_frame(frame)? {
        match record? {
            ServerRecord::Task(next) => tasks.push_back(next.id),
            ServerRecord::Accepted { .. } => _ = accepted.fetch_add(1, Ordering::Relaxed),
            ServerRecord::Rejected { reason, .. } => bail!("an update was rejected: {reason}"),
            ServerRecord::Goodbye(goodbye) => {
                bail!("the server closed the session: {}", goodbye.reason)
            }
            _ => {}
        }
    }
    Ok(())
}

async fn send_to_echo(
    options: LoadOptions,
    mut socket: Socket,
    echoed: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let mut frame = Vec::new();
    let mut signs = SignBits::default();
    signs.copy_from(&vec![1.0; options.directions], 0);
    loop {
        ClientFrame::update(TaskId(1), &signs, &mut frame);
        socket
            .send(Message::Binary(Bytes::from(std::mem::take(&mut frame))))
            .await?;
        while !next(&mut socket).await?.is_binary() {}
        echoed.fetch_add(1, Ordering::Relaxed);
    }
}

async fn next(socket: &mut Socket) -> anyhow::Result<Message> {
    socket
        .next()
        .await
        .context("the server closed a connection")?
        .context("a connection was lost")
}
