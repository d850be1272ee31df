//! Who may not join.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::str::FromStr;

use super::identity::Identity;
use crate::places::Network;

/// Bans of each kind that are remembered; the oldest are forgotten. An identity costs nothing, so whoever lies under
/// new ones all the time must not fill the memory with them.
const MOST: usize = 65_536;

/// What is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ban {
    /// All volunteers of an address.
    Address(Network),
    /// One volunteer, wherever it comes from.
    Identity(Identity),
}

/// A text that names nothing that can be banned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `address IP` or `identity` and 32 hexadecimal digits, found {found:?}")]
pub struct NoBan {
    found: String,
}

impl fmt::Display for Ban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(network) => write!(f, "address {network}"),
            Self::Identity(identity) => write!(f, "identity {identity}"),
        }
    }
}

impl FromStr for Ban {
    type Err = NoBan;

    fn from_str(text: &str) -> Result<Self, NoBan> {
        let ban = match text.split_once(' ') {
            Some(("address", address)) => {
                let address = address.strip_suffix("/64").unwrap_or(address);
                address.parse::<IpAddr>().ok().map(|address| Self::Address(address.into()))
            }
            Some(("identity", identity)) => identity.parse().ok().map(Self::Identity),
            _ => None,
        };
        ban.ok_or_else(|| NoBan { found: text.to_owned() })
    }
}

/// The bans, the latest of each kind.
#[derive(Clone, Debug, Default)]
pub struct Bans {
    addresses: Latest<Network>,
    identities: Latest<Identity>,
}

impl Bans {
    /// Reads a list with a ban in each line; empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// When a line is none.
    pub fn read(text: &str) -> Result<Self, NoBan> {
        let mut bans = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            bans.add(line.parse()?);
        }
        Ok(bans)
    }

    /// The list that [`Bans::read`] reads.
    pub fn write(&self) -> String {
        self.list().flat_map(|ban| [ban.to_string(), "\n".to_owned()]).collect()
    }

    /// All bans, the oldest of each kind first.
    pub fn list(&self) -> impl Iterator<Item = Ban> + '_ {
        let addresses = self.addresses.order.iter().copied().map(Ban::Address);
        addresses.chain(self.identities.order.iter().copied().map(Ban::Identity))
    }

    /// Adds a ban; whether it is new.
    pub fn add(&mut self, ban: Ban) -> bool {
        match ban {
            Ban::Address(network) => self.addresses.add(network),
            Ban::Identity(identity) => self.identities.add(identity),
        }
    }

    /// Lifts a ban; whether there was one.
    pub fn lift(&mut self, ban: Ban) -> bool {
        match ban {
            Ban::Address(network) => self.addresses.remove(&network),
            Ban::Identity(identity) => self.identities.remove(&identity),
        }
    }

    /// Whether it is banned.
    pub fn contain(&self, ban: Ban) -> bool {
        match ban {
            Ban::Address(network) => self.addresses.set.contains(&network),
            Ban::Identity(identity) => self.identities.set.contains(&identity),
        }
    }
}

/// The latest [`MOST`] of something.
#[derive(Clone, Debug)]
struct Latest<T> {
    set: HashSet<T>,
    /// The same, the oldest in front.
    order: VecDeque<T>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self { set: HashSet::new(), order: VecDeque::new() }
    }
}

impl<T: Copy + Eq + Hash> Latest<T> {
    fn add(&mut self, one: T) -> bool {
        if !self.set.insert(one) {
            return false;
        }
        self.order.push_back(one);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        true
    }

    fn remove(&mut self, one: &T) -> bool {
        let was = self.set.remove(one);
        if was {
            self.order.retain(|other| other != one);
        }
        was
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::task::Secret;

    fn identity(number: u32) -> Ban {
        let mut secret = [0; 16];
        secret[..4].copy_from_slice(&number.to_le_bytes());
        Ban::Identity(Secret(secret).into())
    }

    fn address(text: &str) -> Ban {
        Ban::Address(text.parse::<IpAddr>().unwrap().into())
    }

    #[test]
    fn bans_hold_until_they_are_lifted_and_survive_in_a_file() {
        let mut bans = Bans::default();
        assert!(bans.add(address("192.0.2.1")) && bans.add(address("2001:db8::1")) && bans.add(identity(1)));
        assert!(!bans.add(identity(1)), "once is enough");
        assert!(bans.contain(address("2001:db8::2")) && !bans.contain(address("192.0.2.2")));
        let mut read = Bans::read(&format!("# a comment\n\n{}", bans.write())).unwrap();
        assert_eq!(read.list().collect::<Vec<_>>(), bans.list().collect::<Vec<_>>());
        assert!(read.lift(address("192.0.2.1")) && !read.lift(address("192.0.2.1")));
        assert!(!read.contain(address("192.0.2.1")) && read.contain(identity(1)));
    }

    #[test]
    fn lines_that_ban_nothing_are_named() {
        for wrong in ["192.0.2.1", "address", "address x", "identity 12", "volunteer 3"] {
            assert_eq!(Bans::read(wrong).unwrap_err(), NoBan { found: wrong.to_owned() });
        }
    }

    #[test]
    fn only_the_latest_are_remembered() {
        let mut bans = Bans::default();
        bans.add(address("192.0.2.1"));
        (0..MOST as u32 + 10).for_each(|n| _ = bans.add(identity(n)));
        assert!(!bans.contain(identity(9)) && bans.contain(identity(10)));
        assert!(bans.contain(address("192.0.2.1")), "liars do not push addresses out");
        assert_eq!(bans.list().count(), MOST + 1);
    }
}
