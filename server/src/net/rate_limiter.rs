//! A rate limiter per client address, for connections and for joins.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::net::client_addr::ClientAddr;

/// Client addresses in memory. When more act within a minute, all are forgotten: memory stays bounded, and the limits
/// that apply to all clients together remain.
const MAX_ADDRESSES: usize = 65_536;

/// The full burst of one minute may come at once.
const WINDOW: Duration = Duration::from_mins(1);

/// A rate limiter. Each address needs one value: the time at which its allowance is full again.
#[derive(Debug)]
pub struct RateLimiter {
    /// Time by which one action reduces the allowance.
    cost: Duration,
    full_at: HashMap<ClientAddr, Instant>,
}

impl RateLimiter {
    /// Creates a limiter of `per_minute` actions per address, at least 1.
    pub fn new(per_minute: u32) -> Self {
        Self {
            cost: WINDOW / per_minute,
            full_at: HashMap::new(),
        }
    }

    /// Counts an action of a client.
    ///
    /// # Errors
    /// Returns the time until the next permitted action if the client exceeds its rate. Rejected actions cost nothing.
    pub fn check(&mut self, client: ClientAddr, now: Instant) -> Result<(), Duration> {
        if self.full_at.len() >= MAX_ADDRESSES {
            self.full_at.retain(|_, full| *full > now);
            if self.full_at.len() >= MAX_ADDRESSES {
                self.full_at.clear();
            }
        }
        let full = self.full_at.entry(client).or_insert(now);
        let after = (*full).max(now) + self.cost;
        let excess = (after - now).saturating_sub(WINDOW);
        if !excess.is_zero() {
            return Err(excess);
        }
        *full = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn client(bits: u32) -> ClientAddr {
        IpAddr::V4(Ipv4Addr::from_bits(bits)).into()
    }

    #[test]
    fn rate_limit_returns_retry_after() {
        let mut limiter = RateLimiter::new(6);
        let now = Instant::now();
        let a = client(1);
        (0..6).for_each(|_| limiter.check(a, now).unwrap());
        assert_eq!(limiter.check(a, now), Err(Duration::from_secs(10)));
        assert_eq!(
            limiter.check(client(2), now),
            Ok(()),
            "other addresses are unaffected"
        );
        assert_eq!(
            limiter.check(a, now + Duration::from_secs(9)),
            Err(Duration::from_secs(1))
        );
        assert_eq!(limiter.check(a, now + Duration::from_secs(10)), Ok(()));
        assert_eq!(
            limiter.check(a, now + Duration::from_secs(10)),
            Err(Duration::from_secs(10))
        );
    }

    #[test]
    fn rejected_actions_cost_nothing() {
        let mut limiter = RateLimiter::new(1);
        let now = Instant::now();
        let a = client(1);
        limiter.check(a, now).unwrap();
        (0..100).for_each(|_| assert_eq!(limiter.check(a, now), Err(WINDOW)));
        assert_eq!(limiter.check(a, now + WINDOW), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let mut limiter = RateLimiter::new(1);
        let now = Instant::now();
        (0..3 * MAX_ADDRESSES as u32).for_each(|n| limiter.check(client(n), now).unwrap());
        assert!(limiter.full_at.len() <= MAX_ADDRESSES);
    }
}
