//! A line between volunteers and a server: a TCP proxy with a round trip and, on request, a bandwidth.
//!
//! ```text
//!   volunteer <==> [ read, count -> transmit -> queue -> wait for half of a round trip -> write ] <==> server
//! ```
//!
//! Both directions of a connection are independent and keep the order of their bytes. All connections of a line share
//! its bandwidth, which each direction has in full.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::tungstenite::Bytes;

/// Most bytes that are carried as one piece.
const CHUNK_BYTES: usize = 32 * 1024;

/// Pieces on their way in one direction of a connection, up to 32 MiB; a sender waits while they are this many.
const QUEUE_CAPACITY: usize = 1024;

/// Time by which the transmission of what was read may last beyond now, so that late timers do not idle the line.
const MAX_BACKLOG: Duration = Duration::from_millis(20);

/// Pause after the system failed to accept a connection.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// Round trip and bandwidth of a line.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineOptions {
    /// Time from a byte to the earliest reply to it.
    pub round_trip: Duration,
    /// Bytes a second, each way; `None` without a limit.
    pub bytes_per_s: Option<u64>,
}

/// Bytes that a connection has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// From the volunteer to the server.
    pub up: u64,
    /// From the server to the volunteer.
    pub down: u64,
}

/// A line on a free port of the loopback interface. Dropping it closes its connections.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

/// What all connections of a line share.
#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    round_trip: Duration,
    up: Direction,
    down: Direction,
    /// The counts of all connections so far.
    connections: Mutex<Vec<Arc<Counts>>>,
}

#[derive(Debug, Default)]
struct Counts {
    up: AtomicU64,
    down: AtomicU64,
}

impl Line {
    /// Starts a line to a server, within a runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the system has no free port.
    pub async fn start(server: SocketAddr, options: LineOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server,
            round_trip: options.round_trip,
            up: Direction::new(options),
            down: Direction::new(options),
            connections: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    /// Returns the address that volunteers connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what each connection has carried so far, in the order of their beginning.
    pub fn carried(&self) -> Vec<Carried> {
        let read = |counts: &Arc<Counts>| Carried {
            up: counts.up.load(Ordering::Relaxed),
            down: counts.down.load(Ordering::Relaxed),
        };
        self.shared.lock().iter().map(read).collect()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort(); // with it end the connections, which its task holds
    }
}

/// Carries every connection until the task is aborted.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => _ = connections.spawn(carry(client, Arc::clone(&shared))),
                Err(_) => sleep(ACCEPT_BACKOFF).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection until both sides have closed it.
async fn carry(client: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    sleep(shared.round_trip).await; // the handshake of TCP
    let server = TcpStream::connect(shared.server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let counts = Arc::new(Counts::default());
    shared.lock().push(Arc::clone(&counts));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        shared.up.forward(from_client, to_server, &counts.up),
        shared.down.forward(from_server, to_client, &counts.down),
    );
    Ok(())
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Counts>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One direction of a line.
#[derive(Debug)]
struct Direction {
    delay: Duration,
    bytes_per_s: Option<u64>,
    /// Time at which everything that was read so far is transmitted.
    free_at: Mutex<Instant>,
}

impl Direction {
    fn new(options: LineOptions) -> Self {
        Self {
            delay: options.round_trip / 2,
            bytes_per_s: options.bytes_per_s,
            free_at: Mutex::new(Instant::now()),
        }
    }

    /// Forwards bytes and counts them until their end, or until one side is gone.
    async fn forward(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        count: &AtomicU64,
    ) {
        let (sender, mut receiver) = mpsc::channel(QUEUE_CAPACITY);
        let read = async move {
            let mut buffer = vec![0; CHUNK_BYTES];
            while let Ok(length @ 1..) = from.read(&mut buffer).await {
                count.fetch_add(length as u64, Ordering::Relaxed);
                let due = self.transmit(length).await + self.delay;
                let chunk = Bytes::copy_from_slice(&buffer[..length]);
                if sender.send((due, chunk)).await.is_err() {
                    break;
                }
            }
            // The end arrives as late as bytes would.
            _ = sender
                .send((Instant::now() + self.delay, Bytes::new()))
                .await;
        };
        let write = async move {
            while let Some((due, chunk)) = receiver.recv().await {
                wait_until(due).await;
                if to.write_all(&chunk).await.is_err() {
                    break;
                }
            }
            _ = to.shutdown().await; // the other side may have closed it
        };
        tokio::join!(read, write);
    }

    /// Waits until the line is nearly free, and returns the time at which these bytes are transmitted.
    async fn transmit(&self, length: usize) -> Instant {
        let now = Instant::now();
        let Some(bytes_per_s) = self.bytes_per_s else {
            return now;
        };
        let time = Duration::from_secs_f64(length as f64 / bytes_per_s as f64);
        let sent = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            *free_at = (*free_at).max(now) + time;
            *free_at
        };
        wait_until(sent - MAX_BACKLOG.min(sent - now)).await;
        sent
    }
}

/// Waits until a time. A time that has passed costs nothing, where a timer would round it up to the next millisecond.
async fn wait_until(time: Instant) {
    if time > Instant::now() {
        sleep_until(time).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    /// Returns the volunteer's end and the server's end of a connection whose bytes `direction` carries to the server.
    fn connect(direction: &Arc<Direction>, count: &Arc<AtomicU64>) -> (DuplexStream, DuplexStream) {
        let (volunteer, from) = duplex(1 << 16);
        let (to, server) = duplex(1 << 16);
        let direction = Arc::clone(direction);
        let count = Arc::clone(count);
        tokio::spawn(async move { direction.forward(from, to, &count).await });
        (volunteer, server)
    }

    fn direction(round_trip_ms: u64, bytes_per_s: Option<u64>) -> Arc<Direction> {
        Arc::new(Direction::new(LineOptions {
            round_trip: Duration::from_millis(round_trip_ms),
            bytes_per_s,
        }))
    }

    /// Sends `bytes` and the end, and returns what arrives with the time that it took, in ms.
    async fn send(
        mut volunteer: DuplexStream,
        mut server: DuplexStream,
        bytes: &[u8],
    ) -> (Vec<u8>, u128) {
        let started = Instant::now();
        let mut arrived = Vec::new();
        let sending = async {
            volunteer.write_all(bytes).await.unwrap();
            drop(volunteer);
        };
        let ((), read) = tokio::join!(sending, server.read_to_end(&mut arrived));
        read.unwrap();
        (arrived, started.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_take_half_round_trip() {
        let count = Arc::default();
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        for round_trip_ms in [0, 100, 300] {
            let (volunteer, server) = connect(&direction(round_trip_ms, None), &count);
            let (arrived, ms) = send(volunteer, server, &bytes).await;
            assert!(arrived == bytes, "other bytes, or in another order");
            assert_eq!(ms, u128::from(round_trip_ms) / 2);
        }
        assert_eq!(count.load(Ordering::Relaxed), 3_000_000);
    }

    #[tokio::test(start_paused = true)]
    async fn later_bytes_arrive_later() {
        let (mut volunteer, mut server) = connect(&direction(100, None), &Arc::default());
        let started = Instant::now();
        volunteer.write_all(b"a").await.unwrap();
        sleep(Duration::from_millis(30)).await;
        volunteer.write_all(b"b").await.unwrap();
        for (expected, ms) in [(b'a', 50), (b'b', 80)] {
            assert_eq!(server.read_u8().await.unwrap(), expected);
            assert_eq!(started.elapsed().as_millis(), ms);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn end_takes_half_round_trip() {
        let (volunteer, server) = connect(&direction(100, None), &Arc::default());
        assert_eq!(send(volunteer, server, &[]).await, (Vec::new(), 50));
    }

    #[tokio::test(start_paused = true)]
    async fn bandwidth_spreads_bytes() {
        // 10 Mbit/s: a quarter of a megabyte takes 200 ms.
        let (volunteer, server) = connect(&direction(100, Some(1_250_000)), &Arc::default());
        let (_, ms) = send(volunteer, server, &vec![7; 250_000]).await;
        assert!((250..=251).contains(&ms), "{ms} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn connections_share_bandwidth() {
        let direction = direction(0, Some(1_250_000));
        let count = Arc::default();
        let [one, other] = [(); 2].map(|()| connect(&direction, &count));
        let bytes = vec![7; 125_000];
        let (first, second) =
            tokio::join!(send(one.0, one.1, &bytes), send(other.0, other.1, &bytes));
        let earlier = first.1.min(second.1);
        let later = first.1.max(second.1);
        assert!((200..=201).contains(&later), "{later} ms");
        assert!(earlier > 150, "{earlier} ms: one connection had the line");
    }

    #[tokio::test]
    async fn line_counts_each_connection() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let line = Line::start(listener.local_addr().unwrap(), LineOptions::default())
            .await
            .unwrap();
        for length in [5_usize, 3] {
            let mut volunteer = TcpStream::connect(line.address()).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            volunteer.write_all(&vec![1; length]).await.unwrap();
            server.read_exact(&mut vec![0; length]).await.unwrap();
            server.write_all(&[2; 100]).await.unwrap();
            drop(server);
            let mut reply = Vec::new();
            volunteer.read_to_end(&mut reply).await.unwrap();
            assert_eq!(reply, [2; 100]);
        }
        let carried = [5, 3].map(|up| Carried { up, down: 100 });
        assert_eq!(line.carried(), carried);
    }
}
