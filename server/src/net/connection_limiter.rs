//! A counting limiter in total and per client address, for connections and for sessions.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::net::client_addr::ClientAddr;

/// The limit that a request for a permit exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitReached {
    /// All permits are in use.
    #[error("the limit is reached")]
    Total,
    /// All permits of this client address are in use.
    #[error("the limit for this address is reached")]
    PerAddress,
}

/// A limiter that issues permits. Its memory is bounded by the number of permits in use.
#[derive(Debug)]
pub struct ConnectionLimiter {
    max: usize,
    max_per_address: usize,
    /// Locked briefly, and never across an await point.
    usage: Mutex<Usage>,
    idle: Notify,
}

#[derive(Debug, Default)]
struct Usage {
    total: usize,
    by_client: HashMap<ClientAddr, usize>,
}

/// A permit, released when dropped.
#[derive(Debug)]
pub struct Permit {
    limiter: Arc<ConnectionLimiter>,
    client: Option<ClientAddr>,
}

impl ConnectionLimiter {
    /// Creates a limiter of `max` permits, `max_per_address` of them for one client address.
    pub fn new(max: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_address,
            usage: Mutex::default(),
            idle: Notify::new(),
        })
    }

    /// Acquires a permit. Without a client address it counts towards the total only.
    ///
    /// # Errors
    /// Returns an error if a limit is reached.
    pub fn acquire(self: &Arc<Self>, client: Option<ClientAddr>) -> Result<Permit, LimitReached> {
        let mut usage = self.usage.lock();
        if usage.total >= self.max {
            return Err(LimitReached::Total);
        }
        if let Some(client) = client {
            let count = usage.by_client.get(&client).copied().unwrap_or(0);
            if count >= self.max_per_address {
                return Err(LimitReached::PerAddress);
            }
            usage.by_client.insert(client, count + 1);
        }
        usage.total += 1;
        drop(usage);
        Ok(Permit {
            limiter: Arc::clone(self),
            client,
        })
    }

    /// Waits until no permit is in use.
    pub async fn wait_until_idle(&self) {
        loop {
            let idle = self.idle.notified(); // registered before the check, or a release in between is missed
            if self.in_use() == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Returns the number of permits in use.
    pub fn in_use(&self) -> usize {
        self.usage.lock().total
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut usage = self.limiter.usage.lock();
        usage.total -= 1;
        if usage.total == 0 {
            self.limiter.idle.notify_waiters();
        }
        let Some(client) = self.client else { return };
        if let Some(count) = usage.by_client.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                usage.by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn client(address: &str) -> ClientAddr {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn limits_total_and_per_address() {
        let limiter = ConnectionLimiter::new(3, 2);
        let a = client("192.0.2.1");
        let b = client("192.0.2.2");
        let first = limiter.acquire(Some(a)).unwrap();
        let _second = limiter.acquire(Some(a)).unwrap();
        assert_eq!(
            limiter.acquire(Some(a)).unwrap_err(),
            LimitReached::PerAddress
        );
        let third = limiter.acquire(Some(b)).unwrap();
        assert_eq!(limiter.acquire(Some(b)).unwrap_err(), LimitReached::Total);
        drop(first);
        drop(limiter.acquire(Some(a)).unwrap());
        drop(third);
        assert_eq!(limiter.in_use(), 1);
    }

    #[tokio::test]
    async fn wait_until_idle_awaits_last_permit() {
        let limiter = ConnectionLimiter::new(2, 2);
        limiter.wait_until_idle().await;
        let first = limiter.acquire(None).unwrap();
        let second = limiter.acquire(None).unwrap();
        let waiting = tokio::spawn({
            let limiter = Arc::clone(&limiter);
            async move { limiter.wait_until_idle().await }
        });
        tokio::task::yield_now().await;
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        waiting.await.unwrap();
    }

    #[test]
    fn permit_without_address_counts_in_total() {
        let limiter = ConnectionLimiter::new(3, 1);
        let permits: Vec<_> = (0..3).map(|_| limiter.acquire(None).unwrap()).collect();
        assert_eq!(limiter.acquire(None).unwrap_err(), LimitReached::Total);
        drop(permits);
        assert_eq!(limiter.in_use(), 0);
        assert!(limiter.usage.lock().by_client.is_empty());
    }
}
