//! Measures the cost of floods on loopback: idle connections and sessions, slow headers, and a storm of joins.
//!
//! ```text
//!   cargo run --release -p farsign-bench --bin flood
//! ```
//!
//! The server runs in a child process, so that its memory is separate (read from /proc, so on Linux only). Each number is
//! printed and compared with its documented limit.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use farsign::wire::{ClientFrame, Hello, ServerRecord, read_server_frame};
use farsign_server::Settings;
use farsign_server::config::settings::{ModelKind, RuleKind};
use farsign_server::net::fd_limit;
use farsign_tests::child_server::{ChildServer, run_if_child};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

const IDLE_CONNECTIONS: usize = 10_000;
const SLOW_HEADERS: usize = 5_000;
const JOINS: usize = 10_000;

/// Documented limit of the server memory per connection or session.
const MAX_BYTES_EACH: usize = 64 * 1024;

/// Number of connections opened at the same time.
const CONCURRENCY: usize = 200;

type Socket = WebSocketStream<TcpStream>;

#[tokio::main]
async fn main() {
    fd_limit::raise_nofile_limit(JOINS + 1000).expect("the limit on open files");
    if run_if_child() {
        return;
    }
    idle_connections().await;
    idle_sessions().await;
    slow_headers().await;
    join_storm().await;
}

fn start_server(max_volunteers: usize) -> ChildServer {
    let unlimited = Some(20_000);
    ChildServer::spawn(&Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        max_volunteers: Some(max_volunteers as u32),
        max_connections: unlimited,
        connections_per_minute: Some(1_000_000),
        max_connections_per_address: unlimited,
        max_volunteers_per_address: unlimited,
        joins_per_minute: unlimited,
        ..Settings::default()
    })
}

/// Reports the server memory that each of `count` items takes, given the memory before.
fn report_memory(server: &ChildServer, items: &str, count: usize, bytes_before: usize) {
    let bytes_each = server.memory_bytes().saturating_sub(bytes_before) / count;
    println!(
        "{count} {items}: {:.1} KiB of server memory each",
        bytes_each as f64 / 1024.0
    );
    assert!(
        bytes_each <= MAX_BYTES_EACH,
        "memory exceeds the documented limit"
    );
}

enum Reply {
    Welcome,
    RetryAfterMs(u32),
}

/// Opens a WebSocket with small buffers and sends a hello.
async fn send_hello(address: SocketAddr) -> Result<Socket, tungstenite::Error> {
    let stream = TcpStream::connect(address).await?;
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0);
    let (mut socket, _) =
        client_async_with_config(format!("ws://{address}/ws"), stream, Some(config)).await?;
    let mut frame = Vec::new();
    ClientFrame::hello(
        &Hello {
            agent: "flood",
            ..Hello::default()
        },
        &mut frame,
    );
    _ = socket.send(Message::Binary(frame.into())).await; // a full server closes without reading it
    Ok(socket)
}

async fn join(address: SocketAddr) -> Socket {
    let mut socket = send_hello(address)
        .await
        .expect("the server accepts connections");
    assert!(
        matches!(recv_reply(&mut socket).await, Reply::Welcome),
        "the server is not full"
    );
    socket
}

async fn recv_reply(socket: &mut Socket) -> Reply {
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(frame))) => {
                let first = read_server_frame(&frame)
                    .expect("a frame of this version")
                    .next();
                match first.expect("a record").expect("a valid record") {
                    ServerRecord::Welcome(_) => return Reply::Welcome,
                    ServerRecord::Goodbye(goodbye) => {
                        return Reply::RetryAfterMs(goodbye.retry_after_ms.expect("a retry delay"));
                    }
                    other => panic!("expected a welcome or a goodbye, found {other:?}"),
                }
            }
            Some(Ok(_)) => {}
            other => panic!("expected a message, found {other:?}"),
        }
    }
}

/// Runs `count` tasks, at most [`CONCURRENCY`] at the same time, and returns their results.
async fn run_many<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    make_task: impl Fn() -> F,
) -> Vec<T> {
    let mut tasks = JoinSet::new();
    let mut results = Vec::with_capacity(count);
    for _ in 0..count {
        if tasks.len() >= CONCURRENCY {
            results.extend(
                tasks
                    .join_next()
                    .await
                    .map(|result| result.expect("no panic")),
            );
        }
        tasks.spawn(make_task());
    }
    results.extend(tasks.join_all().await);
    results
}

async fn idle_connections() {
    let server = start_server(1000);
    let address = server.address();
    let request = move || async move {
        let mut stream = TcpStream::connect(address)
            .await
            .expect("the server accepts connections");
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
            .await
            .expect("the server reads");
        let read = stream.read(&mut [0; 1024]).await.expect("a response");
        assert!(read > 0, "a response");
        stream
    };
    run_many(CONCURRENCY, request).await;
    let bytes_before = server.memory_bytes();
    let idle = run_many(IDLE_CONNECTIONS, request).await;
    report_memory(&server, "idle connections", idle.len(), bytes_before);
}

async fn idle_sessions() {
    let server = start_server(IDLE_CONNECTIONS + CONCURRENCY);
    let address = server.address();
    drop(join(address).await);
    let bytes_before = server.memory_bytes();
    let idle = run_many(IDLE_CONNECTIONS, move || join(address)).await;
    report_memory(&server, "idle sessions", idle.len(), bytes_before);
}

async fn slow_headers() {
    let server = start_server(1000);
    let address = server.address();
    let (stop, mut stopping) = watch::channel(false);
    let honest = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(200));
        let mut slowest = Duration::ZERO;
        while !*stopping.borrow_and_update() {
            tick.tick().await;
            let started = Instant::now();
            drop(join(address).await);
            slowest = slowest.max(started.elapsed());
        }
        slowest
    });
    let send_half_header = move || async move {
        let mut stream = TcpStream::connect(address)
            .await
            .expect("the server accepts connections");
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: te")
            .await
            .expect("the server reads");
        (stream, Instant::now())
    };
    let started = Instant::now();
    let slow = run_many(SLOW_HEADERS, send_half_header).await;
    println!(
        "{SLOW_HEADERS} connections with half a header, opened in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    let closing: JoinSet<Duration> = slow
        .into_iter()
        .map(|(mut stream, connected)| async move {
            _ = stream.read(&mut [0]).await; // closed, or reset
            connected.elapsed()
        })
        .collect();
    let longest = closing
        .join_all()
        .await
        .into_iter()
        .max()
        .unwrap_or_default();
    stop.send_replace(true);
    let slowest_join = honest.await.expect("no panic");
    println!("  closed after at most {:.1} s", longest.as_secs_f64());
    println!(
        "  an honest join took at most {:.0} ms",
        slowest_join.as_secs_f64() * 1e3
    );
    assert!(
        longest < Duration::from_secs(11),
        "slow headers stay open too long"
    );
    assert!(
        slowest_join < Duration::from_secs(1),
        "an honest join takes too long"
    );
}

async fn join_storm() {
    let server = start_server(1000);
    let address = server.address();
    let started = Instant::now();
    let replies = run_many(JOINS, move || async move {
        let mut socket = send_hello(address)
            .await
            .expect("the server accepts connections");
        let reply = recv_reply(&mut socket).await;
        (reply, socket)
    })
    .await;
    let took = started.elapsed();
    let delays_ms: Vec<u32> = replies
        .iter()
        .filter_map(|(reply, _)| match reply {
            Reply::Welcome => None,
            Reply::RetryAfterMs(delay_ms) => Some(*delay_ms),
        })
        .collect();
    let welcomed = replies.len() - delays_ms.len();
    println!(
        "{JOINS} joins processed in {:.1} s: {welcomed} welcomed",
        took.as_secs_f64()
    );
    let min = delays_ms.iter().min();
    let max = delays_ms.iter().max();
    println!(
        "  {} rejected, with retry delays from {min:?} to {max:?} ms",
        delays_ms.len()
    );
    assert_eq!(replies.len(), JOINS);
    assert!(took < Duration::from_secs(10), "the storm takes too long");
}
