//! The bytes that the server sends, and the operator's limits on them: in all, and to one client address.
//!
//! ```text
//!   session: next task? --reserve--> wait, then the task       every socket: write --credit?--> TCP
//!                                                                              |no
//!                                                                           reserve a chunk, wait
//! ```
//!
//! Every byte is reserved once before it is written, in one queue for all connections, and each reservation gets the
//! moment at which the limit permits it. A session reserves the bytes of a task before it asks for the task, so that a
//! task waits at the server and not in a socket. Everything else, pages and training data included, waits at the socket.
//! Bytes are counted as TCP receives them: with the headers of HTTP, WebSocket and TLS, without those of TCP and IP.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::net::client_addr::ClientAddr;
use crate::net::connection_limiter::LimitReached;
use crate::throughput::ThroughputMeter;

/// Client addresses in memory. When more are active at once, all are forgotten; the limit in all remains.
const MAX_ADDRESSES: usize = 65_536;

/// Bytes that may be sent at once after a pause, as the time in which the limit permits them.
const BURST: Duration = Duration::from_millis(250);

/// Longest wait of tasks at which volunteers may still join.
const MAX_JOIN_WAIT: Duration = Duration::from_secs(1);

/// Bytes that a socket reserves at once.
const CHUNK_BYTES: u64 = 16 * 1024;

/// Limits on the sent bytes, in bytes a second; `None` without a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EgressLimits {
    /// Of all connections together.
    pub total: Option<NonZeroU64>,
    /// Of the connections of one client address.
    pub per_address: Option<NonZeroU64>,
}

/// A queue of bytes that are sent at a constant rate. It needs one value: the time at which the queue is empty.
#[derive(Clone, Copy, Debug)]
struct Pacer {
    empty_at: Instant,
}

impl Pacer {
    /// Adds bytes, and returns the time until they may be sent.
    fn reserve(&mut self, now: Instant, bytes: u64, rate: NonZeroU64) -> Duration {
        let wait = self.wait(now);
        self.empty_at = self.empty_at.max(now) + duration(bytes, rate);
        wait
    }

    /// Returns the time until bytes that are added now may be sent.
    fn wait(&self, now: Instant) -> Duration {
        (self.empty_at.saturating_duration_since(now)).saturating_sub(BURST)
    }

    /// Removes bytes that were added and not sent.
    fn cancel(&mut self, bytes: u64, rate: NonZeroU64) {
        if let Some(earlier) = self.empty_at.checked_sub(duration(bytes, rate)) {
            self.empty_at = earlier;
        }
    }
}

/// Longest time for which bytes are counted in advance.
const SECONDS_PER_DAY: f64 = 86_400.0;

/// Returns the time that bytes take at a rate, at most a day.
fn duration(bytes: u64, rate: NonZeroU64) -> Duration {
    let seconds = bytes as f64 / rate.get() as f64;
    Duration::from_secs_f64(seconds.min(SECONDS_PER_DAY))
}

/// The sent bytes of a server, and the queues of its limits.
#[derive(Debug)]
pub struct Egress {
    limits: EgressLimits,
    sent_bytes: AtomicU64,
    delayed_tasks: AtomicU64,
    meter: ThroughputMeter,
    /// Locked briefly, and never across an await point.
    total: Mutex<Pacer>,
    addresses: Mutex<HashMap<ClientAddr, Pacer>>,
}

impl Egress {
    /// Creates a counter with limits.
    pub fn new(limits: EgressLimits, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            limits,
            sent_bytes: AtomicU64::new(0),
            delayed_tasks: AtomicU64::new(0),
            meter: ThroughputMeter::default(),
            total: Mutex::new(Pacer { empty_at: now }),
            addresses: Mutex::default(),
        })
    }

    /// Returns the egress of a new connection. `client` is `None` for a connection that carries many clients.
    pub fn connection(self: &Arc<Self>, client: Option<ClientAddr>) -> ConnectionEgress {
        ConnectionEgress(Arc::new(ConnectionState {
            egress: Arc::clone(self),
            client: Mutex::new(client),
            credit: AtomicU64::new(0),
        }))
    }

    /// Returns the bytes sent since the server started.
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// Returns the number of tasks that waited for a limit.
    pub fn delayed_tasks(&self) -> u64 {
        self.delayed_tasks.load(Ordering::Relaxed)
    }

    /// Records a sample of the rate. The server calls it once a second.
    pub fn sample(&self, now: Instant) {
        self.meter.sample(now, self.sent_bytes());
    }

    /// Returns the bytes sent a second, over the last ten seconds.
    pub fn bytes_per_s(&self) -> f64 {
        self.meter.rate()
    }

    /// Returns the limit of all connections together, in bytes a second.
    pub fn limit(&self) -> Option<NonZeroU64> {
        self.limits.total
    }

    /// Returns the load of the limit in all: the used fraction of it, 0 to 1, while nothing waits; then 1 and the seconds
    /// that new bytes wait. 0 without a limit.
    ///
    /// The gateway can read it through admission, to issue fewer or larger tasks.
    pub fn load(&self, now: Instant) -> f64 {
        let Some(limit) = self.limits.total else {
            return 0.0;
        };
        let wait = self.total.lock().wait(now);
        if wait.is_zero() {
            (self.bytes_per_s() / limit.get() as f64).min(1.0)
        } else {
            1.0 + wait.as_secs_f64()
        }
    }

    /// Returns whether a volunteer may join now.
    ///
    /// # Errors
    /// Returns the limit for which tasks wait too long already.
    pub fn check_join(&self, client: ClientAddr, now: Instant) -> Result<(), LimitReached> {
        if self.limits.total.is_some() && self.total.lock().wait(now) > MAX_JOIN_WAIT {
            return Err(LimitReached::Total);
        }
        let addresses = self.addresses.lock();
        let of_client = addresses.get(&client);
        if of_client.is_some_and(|pacer| pacer.wait(now) > MAX_JOIN_WAIT) {
            return Err(LimitReached::PerAddress);
        }
        Ok(())
    }

    /// Reserves bytes for a client, and returns the time until they may be sent.
    fn reserve(&self, client: Option<ClientAddr>, bytes: u64, now: Instant) -> Duration {
        let of_total = self
            .limits
            .total
            .map(|rate| self.total.lock().reserve(now, bytes, rate));
        let of_client = client.zip(self.limits.per_address).map(|(client, rate)| {
            let mut addresses = self.addresses.lock();
            if addresses.len() >= MAX_ADDRESSES {
                addresses.retain(|_, pacer| pacer.empty_at > now);
                if addresses.len() >= MAX_ADDRESSES {
                    addresses.clear();
                }
            }
            addresses
                .entry(client)
                .or_insert(Pacer { empty_at: now })
                .reserve(now, bytes, rate)
        });
        of_total.max(of_client).unwrap_or_default()
    }

    /// Removes bytes that were reserved and not sent.
    fn cancel(&self, client: Option<ClientAddr>, bytes: u64) {
        if let Some(rate) = self.limits.total {
            self.total.lock().cancel(bytes, rate);
        }
        if let Some((client, rate)) = client.zip(self.limits.per_address)
            && let Some(pacer) = self.addresses.lock().get_mut(&client)
        {
            pacer.cancel(bytes, rate);
        }
    }

    fn is_limited(&self) -> bool {
        self.limits != EgressLimits::default()
    }
}

/// The sent bytes of one connection: an extension of every request.
#[derive(Clone, Debug)]
pub struct ConnectionEgress(Arc<ConnectionState>);

#[derive(Debug)]
struct ConnectionState {
    egress: Arc<Egress>,
    /// `None` while the client is unknown, behind a trusted proxy.
    client: Mutex<Option<ClientAddr>>,
    /// Reserved bytes that were not sent yet.
    credit: AtomicU64,
}

impl ConnectionEgress {
    /// Counts the connection for this client from now on.
    pub fn attribute_to(&self, client: ClientAddr) {
        *self.0.client.lock() = Some(client);
    }

    /// Reserves the bytes of a volunteer's next task, and returns the time for which the task waits.
    pub fn reserve_task(&self, bytes: u64, now: Instant) -> Duration {
        let missing = bytes.saturating_sub(self.0.credit.load(Ordering::Relaxed));
        let wait = self.reserve(missing, now);
        if !wait.is_zero() {
            self.0.egress.delayed_tasks.fetch_add(1, Ordering::Relaxed);
        }
        wait
    }

    /// Returns the time that a write of this many bytes may wait for the limits, beyond the time that the client takes.
    pub fn write_time(&self, bytes: u64, now: Instant) -> Duration {
        let ConnectionState { egress, client, .. } = &*self.0;
        let of_total = egress
            .limits
            .total
            .map(|rate| egress.total.lock().wait(now) + duration(bytes, rate));
        let of_client = (*client.lock())
            .zip(egress.limits.per_address)
            .map(|(client, rate)| {
                let addresses = egress.addresses.lock();
                let wait = addresses.get(&client).map(|pacer| pacer.wait(now));
                wait.unwrap_or_default() + duration(bytes, rate)
            });
        2 * of_total.max(of_client).unwrap_or_default() // others reserve too in the meantime
    }

    /// Returns the bytes that may be written now, at most `bytes`. `Err` has the time after which that is so.
    pub(super) fn permit(&self, bytes: usize, now: Instant) -> Result<usize, Duration> {
        if bytes == 0 || !self.0.egress.is_limited() {
            return Ok(bytes);
        }
        let wanted = bytes as u64;
        let mut wait = Duration::ZERO;
        if self.0.credit.load(Ordering::Relaxed) == 0 {
            wait = self.reserve(wanted.min(CHUNK_BYTES), now);
        }
        if wait.is_zero() {
            Ok(wanted.min(self.0.credit.load(Ordering::Relaxed)) as usize)
        } else {
            Err(wait)
        }
    }

    /// Counts written bytes.
    pub(super) fn record(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.0.egress.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
        if !self.0.egress.is_limited() {
            return;
        }
        let spend = |credit: u64| Some(credit.saturating_sub(bytes));
        _ = self
            .0
            .credit
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend);
    }

    fn reserve(&self, bytes: u64, now: Instant) -> Duration {
        if !self.0.egress.is_limited() {
            return Duration::ZERO;
        }
        let client = *self.0.client.lock();
        self.0.credit.fetch_add(bytes, Ordering::Relaxed);
        self.0.egress.reserve(client, bytes, now)
    }
}

impl Drop for ConnectionState {
    fn drop(&mut self) {
        let credit = *self.credit.get_mut();
        if credit > 0 {
            self.egress.cancel(*self.client.get_mut(), credit);
        }
    }
}

#[cfg(test)]
mod tests;
