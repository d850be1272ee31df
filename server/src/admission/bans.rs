//! Bans of addresses and identities.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::str::FromStr;

use farsign::identity::VolunteerIdentity;

use crate::net::client_addr::ClientAddr;
use crate::net::forwarded::parse_address;

/// Bans of each kind in memory; the oldest are dropped. New identities are free, so an attacker with many of them must
/// not fill the memory.
const MAX_BANS: usize = 65_536;

/// A ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ban {
    /// All volunteers of a client address.
    Address(ClientAddr),
    /// One volunteer, at any address.
    Identity(VolunteerIdentity),
}

/// A text that is not a ban.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `address IP` or `identity` and 32 hexadecimal digits, found {found:?}")]
pub struct ParseBanError {
    found: String,
}

impl fmt::Display for Ban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(client) => write!(f, "address {client}"),
            Self::Identity(identity) => write!(f, "identity {identity}"),
        }
    }
}

impl FromStr for Ban {
    type Err = ParseBanError;

    fn from_str(text: &str) -> Result<Self, ParseBanError> {
        let ban = match text.split_once(' ') {
            Some(("address", address)) => {
                let address = address.strip_suffix("/64").unwrap_or(address);
                parse_address(address).map(|address| Self::Address(address.into()))
            }
            Some(("identity", identity)) => identity.parse().ok().map(Self::Identity),
            _ => None,
        };
        ban.ok_or_else(|| ParseBanError {
            found: text.to_owned(),
        })
    }
}

/// The most recent bans of each kind.
#[derive(Clone, Debug, Default)]
pub struct Bans {
    addresses: BoundedSet<ClientAddr>,
    identities: BoundedSet<VolunteerIdentity>,
    /// Comments at the start of the list, up to an empty line.
    header: Vec<String>,
    /// Comments directly before a ban.
    comments: HashMap<Ban, Vec<String>>,
    /// Comments after the last ban.
    footer: Vec<String>,
    revision: u64,
}

impl Bans {
    /// Parses a list with one ban per line. Lines that begin with `#` are comments on the next ban, or, before an empty
    /// line, on the list.
    ///
    /// # Errors
    /// Returns an error if a line is not a ban.
    pub fn read(text: &str) -> Result<Self, ParseBanError> {
        let mut bans = Self::default();
        let mut comments = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with('#') {
                comments.push(line.to_owned());
            } else if line.is_empty() {
                bans.header.append(&mut comments);
            } else {
                let ban = line.parse()?;
                bans.add(ban);
                bans.comments.entry(ban).or_default().append(&mut comments);
            }
        }
        bans.footer = comments;
        Ok(bans)
    }

    /// Writes the list that [`Bans::read`] parses.
    pub fn write(&self) -> String {
        let mut lines = self.header.clone();
        if !lines.is_empty() {
            lines.push(String::new());
        }
        for ban in self.list() {
            lines.extend(self.comments.get(&ban).into_iter().flatten().cloned());
            lines.push(ban.to_string());
        }
        lines.extend(self.footer.iter().cloned());
        lines
            .iter()
            .flat_map(|line| [line.as_str(), "\n"])
            .collect()
    }

    /// Returns a number that grows with each change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Iterates over all bans, the oldest of each kind first.
    pub fn list(&self) -> impl Iterator<Item = Ban> + '_ {
        let addresses = self.addresses.order.iter().copied().map(Ban::Address);
        addresses.chain(self.identities.order.iter().copied().map(Ban::Identity))
    }

    /// Adds a ban, and returns whether it is new.
    pub fn add(&mut self, ban: Ban) -> bool {
        let is_new = match ban {
            Ban::Address(client) => self.addresses.add(client),
            Ban::Identity(identity) => self.identities.add(identity),
        };
        self.revision += u64::from(is_new);
        is_new
    }

    /// Removes a ban, and returns whether it existed.
    pub fn remove(&mut self, ban: Ban) -> bool {
        let existed = match ban {
            Ban::Address(client) => self.addresses.remove(&client),
            Ban::Identity(identity) => self.identities.remove(&identity),
        };
        self.comments.remove(&ban);
        self.revision += u64::from(existed);
        existed
    }

    /// Returns whether the ban exists.
    pub fn contains(&self, ban: Ban) -> bool {
        match ban {
            Ban::Address(client) => self.addresses.set.contains(&client),
            Ban::Identity(identity) => self.identities.set.contains(&identity),
        }
    }
}

/// A set of the [`MAX_BANS`] most recent values.
#[derive(Clone, Debug)]
struct BoundedSet<T> {
    set: HashSet<T>,
    /// The same values, the oldest first.
    order: VecDeque<T>,
}

impl<T> Default for BoundedSet<T> {
    fn default() -> Self {
        Self {
            set: HashSet::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T: Copy + Eq + Hash> BoundedSet<T> {
    fn add(&mut self, value: T) -> bool {
        if !self.set.insert(value) {
            return false;
        }
        self.order.push_back(value);
        if self.order.len() > MAX_BANS
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        true
    }

    fn remove(&mut self, value: &T) -> bool {
        let existed = self.set.remove(value);
        if existed {
            self.order.retain(|other| other != value);
        }
        existed
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

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
    fn bans_text_round_trip() {
        let mut bans = Bans::default();
        assert!(
            bans.add(address("192.0.2.1"))
                && bans.add(address("2001:db8::1"))
                && bans.add(identity(1))
        );
        assert!(!bans.add(identity(1)), "adding twice changes nothing");
        assert!(bans.contains(address("2001:db8::2")) && !bans.contains(address("192.0.2.2")));
        let mut read = Bans::read(&format!("# a comment\n\n{}", bans.write())).unwrap();
        assert_eq!(
            read.list().collect::<Vec<_>>(),
            bans.list().collect::<Vec<_>>()
        );
        assert!(read.remove(address("192.0.2.1")) && !read.remove(address("192.0.2.1")));
        assert!(!read.contains(address("192.0.2.1")) && read.contains(identity(1)));
    }

    #[test]
    fn comments_stay_with_their_bans() {
        let text =
            "# our bans\n\n# a flood\n# in May\naddress 192.0.2.1\naddress 192.0.2.2\n# the end\n";
        let mut bans = Bans::read(text).unwrap();
        assert_eq!(bans.write(), text);
        bans.add(address("192.0.2.3"));
        bans.remove(address("192.0.2.1"));
        assert_eq!(
            bans.write(),
            "# our bans\n\naddress 192.0.2.2\naddress 192.0.2.3\n# the end\n"
        );
    }

    #[test]
    fn ban_accepts_address_with_port() {
        for text in ["address 192.0.2.1:443", "address ::ffff:192.0.2.1"] {
            assert_eq!(text.parse(), Ok(address("192.0.2.1")), "{text}");
        }
        for text in ["address [2001:db8::1]:443", "address 2001:db8::/64"] {
            assert_eq!(text.parse(), Ok(address("2001:db8::1")), "{text}");
        }
    }

    #[test]
    fn invalid_ban_is_an_error() {
        for wrong in [
            "192.0.2.1",
            "address",
            "address x",
            "identity 12",
            "volunteer 3",
        ] {
            assert_eq!(
                Bans::read(wrong).unwrap_err(),
                ParseBanError {
                    found: wrong.to_owned()
                }
            );
        }
    }

    #[test]
    fn oldest_bans_are_dropped() {
        let mut bans = Bans::default();
        bans.add(address("192.0.2.1"));
        (0..MAX_BANS as u32 + 10).for_each(|n| _ = bans.add(identity(n)));
        assert!(!bans.contains(identity(9)) && bans.contains(identity(10)));
        assert!(
            bans.contains(address("192.0.2.1")),
            "identities do not displace addresses"
        );
        assert_eq!(bans.list().count(), MAX_BANS + 1);
    }
}
