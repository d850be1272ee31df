//! What a flood costs: idle connections and sessions, slow headers, a storm of joins. Everything stays on this machine.
//!
//! ```text
//!   cargo run -p farsign-tests --example flood
//! ```
//!
//! The server runs in a process of its own, so that its memory is its own too (read from /proc, so on Linux only). Each
//! number is printed, and held against what is promised of it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use farsign::wire::{ClientFrame, Hello, ServerRecord, read_server_frame};
use farsign_server::edge::files;
use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::apart::{Apart, is_server};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

const IDLE: usize = 10_000;
const SLOW: usize = 5_000;
const JOINS: usize = 10_000;
const MOST_BYTES_EACH: usize = 64 * 1024;

/// Connections that are being made at a time.
const AT_ONCE: usize = 200;

type Socket = WebSocketStream<TcpStream>;

#[tokio::main]
async fn main() {
    files::make_room(JOINS + 1000).expect("the limit on files can be read");
    if is_server() {
        return;
    }
    idle_connections().await;
    idle_sessions().await;
    slow_headers().await;
    join_storm().await;
}

fn start(max_volunteers: usize) -> Apart {
    let many = Some(20_000);
    Apart::start(&Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        max_volunteers: Some(max_volunteers as u32),
        max_connections: many,
        connections_per_minute: Some(1_000_000),
        max_connections_per_address: many,
        max_volunteers_per_address: many,
        joins_per_minute: many,
        ..Settings::default()
    })
}

/// Reports what each of `count` costs, since the memory was `before`.
fn report_memory(server: &Apart, what: &str, count: usize, before: usize) {
    let each = server.memory_bytes().saturating_sub(before) / count;
    println!("{count} {what}: {:.1} KiB of server memory each", each as f64 / 1024.0);
    assert!(each <= MOST_BYTES_EACH, "more than promised");
}

enum Reply {
    Welcome,
    RetryAfterMs(u32),
}

/// Opens a WebSocket with small buffers and says hello.
async fn hello(address: SocketAddr) -> Result<Socket, tungstenite::Error> {
    let stream = TcpStream::connect(address).await?;
    let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
    let (mut socket, _) =
        client_async_with_config(format!("ws://{address}/ws"), stream, Some(config)).await?;
    let mut frame = Vec::new();
    ClientFrame::hello(&Hello { agent: "flood", ..Hello::default() }, &mut frame);
    _ = socket.send(Message::Binary(frame.into())).await; // a server that is full does not wait for it
    Ok(socket)
}

async fn join(address: SocketAddr) -> Socket {
    let mut socket = hello(address).await.expect("the server takes connections");
    assert!(matches!(reply(&mut socket).await, Reply::Welcome), "there is a place");
    socket
}

async fn reply(socket: &mut Socket) -> Reply {
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(frame))) => {
                let first = read_server_frame(&frame).expect("this version").next().expect("a record");
                match first.expect("a record that can be read") {
                    ServerRecord::Welcome(_) => return Reply::Welcome,
                    ServerRecord::Goodbye(goodbye) => {
                        return Reply::RetryAfterMs(goodbye.retry_after_ms.expect("a time to come back"));
                    }
                    other => panic!("expected a welcome or a goodbye, found {other:?}"),
                }
            }
            Some(Ok(_)) => {}
            other => panic!("expected an answer, found {other:?}"),
        }
    }
}

/// Makes `count` of something, some at a time.
async fn many<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    make: impl Fn() -> F,
) -> Vec<T> {
    let (mut tasks, mut made) = (JoinSet::new(), Vec::with_capacity(count));
    for _ in 0..count {
        if tasks.len() >= AT_ONCE {
            made.extend(tasks.join_next().await.map(|one| one.expect("no panic")));
        }
        tasks.spawn(make());
    }
    made.extend(tasks.join_all().await);
    made
}

async fn idle_connections() {
    let server = start(1000);
    let address = server.address();
    let ask = move || async move {
        let mut stream = TcpStream::connect(address).await.expect("the server takes connections");
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("it reads");
        let read = stream.read(&mut [0; 1024]).await.expect("it answers");
        assert!(read > 0, "it answers");
        stream
    };
    many(AT_ONCE, ask).await;
    let before = server.memory_bytes();
    let idle = many(IDLE, ask).await;
    report_memory(&server, "idle connections", idle.len(), before);
}

async fn idle_sessions() {
    let server = start(IDLE + AT_ONCE);
    let address = server.address();
    drop(join(address).await);
    let before = server.memory_bytes();
    let idle = many(IDLE, move || join(address)).await;
    report_memory(&server, "idle sessions", idle.len(), before);
}

async fn slow_headers() {
    let server = start(1000);
    let address = server.address();
    let (over, mut is_over) = watch::channel(false);
    let honest = tokio::spawn(async move {
        let (mut tick, mut slowest) = (tokio::time::interval(Duration::from_millis(200)), Duration::ZERO);
        while !*is_over.borrow_and_update() {
            tick.tick().await;
            let asked = Instant::now();
            drop(join(address).await);
            slowest = slowest.max(asked.elapsed());
        }
        slowest
    });
    let half_a_header = move || async move {
        let mut stream = TcpStream::connect(address).await.expect("the server takes connections");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: te").await.expect("it reads");
        (stream, Instant::now())
    };
    let started = Instant::now();
    let slow = many(SLOW, half_a_header).await;
    println!("{SLOW} connections with half a header, made in {:.1} s", started.elapsed().as_secs_f64());
    let closing: JoinSet<Duration> = slow
        .into_iter()
        .map(|(mut stream, connected)| async move {
            _ = stream.read(&mut [0]).await; // closed, or reset
            connected.elapsed()
        })
        .collect();
    let longest = closing.join_all().await.into_iter().max().unwrap_or_default();
    over.send_replace(true);
    let slowest_join = honest.await.expect("no panic");
    println!("  closed after {:.1} s at the latest", longest.as_secs_f64());
    println!("  an honest join took {:.0} ms at most", slowest_join.as_secs_f64() * 1e3);
    assert!(longest < Duration::from_secs(11), "slow headers stay too long");
    assert!(slowest_join < Duration::from_secs(1), "an honest join waits too long");
}

async fn join_storm() {
    let server = start(1000);
    let address = server.address();
    let started = Instant::now();
    let replies = many(JOINS, move || async move {
        let mut socket = hello(address).await.expect("the server takes connections");
        let reply = reply(&mut socket).await;
        (reply, socket)
    })
    .await;
    let took = started.elapsed();
    let waits: Vec<u32> = replies
        .iter()
        .filter_map(|(reply, _)| match reply {
            Reply::Welcome => None,
            Reply::RetryAfterMs(wait_ms) => Some(*wait_ms),
        })
        .collect();
    println!(
        "{JOINS} joins answered in {:.1} s: {} welcomed",
        took.as_secs_f64(),
        replies.len() - waits.len()
    );
    let (least, most) = (waits.iter().min(), waits.iter().max());
    println!("  {} told to come back in {least:?} to {most:?} ms", waits.len());
    assert_eq!(replies.len(), JOINS);
    assert!(took < Duration::from_secs(10), "a storm takes too long");
}
