//! What a flood costs: idle connections and sessions, slow headers, a storm of joins. Everything stays on this machine.
//!
//! ```text
//!   cargo run -p farsign-tests --example flood
//! ```
//!
//! The server runs in a process of its own, so that its memory is its own too (read from /proc, so on Linux only). Each
//! number is printed, and held against what is promised of it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use farsign::wire::{ClientFrame, Hello, ServerRecord, read_server_frame};
use farsign_server::edge::files;
use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::host::Host;
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
    if let Some(max_volunteers) = std::env::args().nth(1) {
        return serve(max_volunteers.parse().expect("a number"));
    }
    idle_connections().await;
    idle_sessions().await;
    slow_headers().await;
    join_storm().await;
}

/// The server's process: prints its address, and ends with its input.
fn serve(max_volunteers: u32) {
    let many = Some(20_000);
    let host = Host::start(Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        max_volunteers: Some(max_volunteers),
        max_connections: many,
        max_connections_per_address: many,
        max_volunteers_per_address: many,
        joins_per_minute: many,
        ..Settings::default()
    });
    println!("{}", host.address());
    _ = std::io::stdin().read(&mut [0]);
}

struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(max_volunteers: usize) -> Self {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut command = Command::new(program);
        command.arg(max_volunteers.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the server starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("the server says where it is");
        Self { process, address: line.trim().parse().expect("an address") }
    }

    fn memory_bytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("the server's memory can be read");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("there is a size");
        1024 * line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number")
    }

    /// Reports what each of `count` costs, since the memory was `before`.
    fn report_memory(&self, what: &str, count: usize, before: usize) {
        let each = self.memory_bytes().saturating_sub(before) / count;
        println!("{count} {what}: {:.1} KiB of server memory each", each as f64 / 1024.0);
        assert!(each <= MOST_BYTES_EACH, "more than promised");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        _ = self.process.wait();
    }
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
    let server = Server::start(1000);
    let address = server.address;
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
    server.report_memory("idle connections", idle.len(), before);
}

async fn idle_sessions() {
    let server = Server::start(IDLE + AT_ONCE);
    let address = server.address;
    drop(join(address).await);
    let before = server.memory_bytes();
    let idle = many(IDLE, move || join(address)).await;
    server.report_memory("idle sessions", idle.len(), before);
}

async fn slow_headers() {
    let server = Server::start(1000);
    let address = server.address;
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
    let server = Server::start(1000);
    let address = server.address;
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
