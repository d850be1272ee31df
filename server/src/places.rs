//! Places that are limited in total and for each address: connections, and sessions.
//!
//! An IPv6 address says little, as whoever has one has the 2^64 others of its network; so these are counted together.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// What counts as one address: all of an IPv4 address, the first 64 bits of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            IpAddr::V4(v4) => IpAddr::V4(v4),
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// As many are taken as there are.
    #[error("all places are taken")]
    Full,
    /// As many are taken from this address as it may have.
    #[error("all places for this address are taken")]
    AddressFull,
}

/// The places. Memory is bounded by the number of them that are taken.
#[derive(Debug)]
pub struct Places {
    most: usize,
    most_per_address: usize,
    /// Short and never held across a wait.
    taken: Mutex<Taken>,
    all_free: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_network: HashMap<Network, usize>,
}

/// A place, free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    of: Arc<Places>,
    network: Option<Network>,
}

impl Places {
    /// So many places, so many of them for one address.
    pub fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_address, taken: Mutex::default(), all_free: Notify::new() })
    }

    /// Takes a place; without a network, one that counts for no address.
    ///
    /// # Errors
    /// When there is none.
    pub fn take(self: &Arc<Self>, network: Option<Network>) -> Result<Place, NoPlace> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.total >= self.most {
            return Err(NoPlace::Full);
        }
        if let Some(network) = network {
            let count = taken.by_network.get(&network).copied().unwrap_or(0);
            if count >= self.most_per_address {
                return Err(NoPlace::AddressFull);
            }
            taken.by_network.insert(network, count + 1);
        }
        taken.total += 1;
        drop(taken);
        Ok(Place { of: Arc::clone(self), network })
    }

    /// Waits until no place is taken.
    pub async fn all_free(&self) {
        loop {
            let freed = self.all_free.notified(); // from here on it hears of it
            if self.taken() == 0 {
                return;
            }
            freed.await;
        }
    }

    /// Places taken now.
    pub fn taken(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total -= 1;
        if taken.total == 0 {
            self.of.all_free.notify_waiters();
        }
        let Some(network) = self.network else { return };
        if let Some(count) = taken.by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                taken.by_network.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_so_is_an_ipv4_address_however_it_is_written() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("2001:db8:1:2:3::9").to_string(), "2001:db8:1:2::/64");
    }

    #[test]
    fn places_are_limited_in_total_and_for_each_address_and_come_back() {
        let (places, a, b) = (Places::new(3, 2), network("192.0.2.1"), network("192.0.2.2"));
        let first = places.take(Some(a)).unwrap();
        let _second = places.take(Some(a)).unwrap();
        assert_eq!(places.take(Some(a)).unwrap_err(), NoPlace::AddressFull);
        let third = places.take(Some(b)).unwrap();
        assert_eq!(places.take(Some(b)).unwrap_err(), NoPlace::Full);
        drop(first);
        drop(places.take(Some(a)).unwrap());
        drop(third);
        assert_eq!(places.taken(), 1);
    }

    #[tokio::test]
    async fn who_waits_for_all_places_to_be_free_waits_for_the_last() {
        let places = Places::new(2, 2);
        places.all_free().await;
        let (first, second) = (places.take(None).unwrap(), places.take(None).unwrap());
        let waiting = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.all_free().await }
        });
        tokio::task::yield_now().await;
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        waiting.await.unwrap();
    }

    #[test]
    fn a_place_without_an_address_counts_in_total_only() {
        let places = Places::new(3, 1);
        let taken: Vec<_> = (0..3).map(|_| places.take(None).unwrap()).collect();
        assert_eq!(places.take(None).unwrap_err(), NoPlace::Full);
        drop(taken);
        assert_eq!(places.taken(), 0);
        assert!(places.taken.lock().unwrap().by_network.is_empty());
    }
}
