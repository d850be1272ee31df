//! How often an address may do something: connect, join.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::places::Network;

/// Addresses that are remembered. Should more come within a minute, all are forgotten: the memory is bounded, and the
/// limits that hold for everybody together remain.
const MOST_ADDRESSES: usize = 65_536;

/// A minute's worth may come at once.
const WINDOW: Duration = Duration::from_mins(1);

/// What each address has done. For each the one number is kept that says it all: when its allowance will be whole again.
#[derive(Debug)]
pub struct Rate {
    /// Time that doing it once takes up of the allowance.
    cost: Duration,
    whole_again: HashMap<Network, Instant>,
}

impl Rate {
    /// So often a minute, at least 1.
    pub fn new(per_minute: u32) -> Self {
        Self { cost: WINDOW / per_minute, whole_again: HashMap::new() }
    }

    /// An address does it.
    ///
    /// # Errors
    /// When it has done it too often: how long until it may again.
    pub fn count(&mut self, network: Network, now: Instant) -> Result<(), Duration> {
        if self.whole_again.len() >= MOST_ADDRESSES {
            self.whole_again.retain(|_, whole| *whole > now);
            if self.whole_again.len() >= MOST_ADDRESSES {
                self.whole_again.clear();
            }
        }
        let whole = self.whole_again.entry(network).or_insert(now);
        let after = (*whole).max(now) + self.cost;
        let too_much = (after - now).saturating_sub(WINDOW);
        if !too_much.is_zero() {
            return Err(too_much);
        }
        *whole = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn network(number: u32) -> Network {
        IpAddr::V4(Ipv4Addr::from_bits(number)).into()
    }

    #[test]
    fn an_address_may_do_it_so_often_a_minute_and_is_told_when_again() {
        let (mut rate, now, a) = (Rate::new(6), Instant::now(), network(1));
        (0..6).for_each(|_| rate.count(a, now).unwrap());
        assert_eq!(rate.count(a, now), Err(Duration::from_secs(10)));
        assert_eq!(rate.count(network(2), now), Ok(()), "others are not concerned");
        assert_eq!(rate.count(a, now + Duration::from_secs(9)), Err(Duration::from_secs(1)));
        assert_eq!(rate.count(a, now + Duration::from_secs(10)), Ok(()));
        assert_eq!(rate.count(a, now + Duration::from_secs(10)), Err(Duration::from_secs(10)));
    }

    #[test]
    fn those_who_were_refused_pay_nothing_for_it() {
        let (mut rate, now, a) = (Rate::new(1), Instant::now(), network(1));
        rate.count(a, now).unwrap();
        (0..100).for_each(|_| assert_eq!(rate.count(a, now), Err(WINDOW)));
        assert_eq!(rate.count(a, now + WINDOW), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let (mut rate, now) = (Rate::new(1), Instant::now());
        (0..3 * MOST_ADDRESSES as u32).for_each(|n| rate.count(network(n), now).unwrap());
        assert!(rate.whole_again.len() <= MOST_ADDRESSES);
    }
}
