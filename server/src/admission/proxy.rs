//! Whose connection it is when a proxy stands before the server.

use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses, `192.0.2.0/24`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    address: IpAddr,
    bits: u32,
}

/// A text that is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected addresses or ranges like 127.0.0.1 or 10.0.0.0/8, separated by commas, found {found:?}")]
pub struct NoRange {
    found: String,
}

impl FromStr for AddressRange {
    type Err = NoRange;

    fn from_str(text: &str) -> Result<Self, NoRange> {
        let wrong = || NoRange { found: text.to_owned() };
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, bits)| (a, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        match (address.is_ipv6(), address.to_canonical(), bits) {
            (_, _, bits) if bits > most => Err(wrong()),
            // An IPv4 address written as an IPv6 one, which no client is ever known by.
            (true, address @ IpAddr::V4(_), 96..) => Ok(Self { address, bits: bits - 96 }),
            _ => Ok(Self { address, bits }),
        }
    }
}

impl AddressRange {
    fn contains(self, address: IpAddr) -> bool {
        // To shift by all bits gives none, and then every address is in the range.
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                (a.to_bits() ^ b.to_bits()).checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                (a.to_bits() ^ b.to_bits()).checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Proxies whose word counts on whom they speak for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<AddressRange>);

impl TrustedProxies {
    /// Reads a list with commas.
    ///
    /// # Errors
    /// When a part of it is no address and no range.
    pub fn read(list: &str) -> Result<Self, NoRange> {
        list.split(',').map(|part| part.trim().parse()).collect::<Result<_, _>>().map(Self)
    }

    /// Whether it is one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(address))
    }

    /// Who is behind a connection from `peer` with these `X-Forwarded-For` lines: going back from the server, the first
    /// who is not a trusted proxy. What stands further back was written by that one, and could be anything.
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let mut client = peer;
        for hop in forwarded_for.rev().flat_map(|line| line.rsplit(',')) {
            if !self.contain(client) {
                break;
            }
            let Ok(before) = hop.trim().parse() else { break };
            client = before;
        }
        client.to_canonical()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_hold_what_they_say() {
        let within = |range: &str, address| range.parse::<AddressRange>().unwrap().contains(ip(address));
        assert!(within("10.0.0.0/8", "10.255.0.1") && !within("10.0.0.0/8", "11.0.0.1"));
        assert!(within("127.0.0.1", "127.0.0.1") && !within("127.0.0.1", "127.0.0.2"));
        assert!(within("0.0.0.0/0", "203.0.113.9") && !within("0.0.0.0/0", "::1"));
        assert!(within("2001:db8::/32", "2001:db8:9::1") && !within("2001:db8::/32", "2001:db9::1"));
        assert!(within("::/0", "2001:db8::1"));
        assert!(within("127.0.0.1", "::ffff:127.0.0.1"), "one address, written in two ways");
        assert!(within("::ffff:127.0.0.1", "127.0.0.1"), "and the other way round");
        assert!(within("::ffff:10.0.0.0/104", "10.255.0.1") && !within("::ffff:10.0.0.0/104", "11.0.0.1"));
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "a", "10.0.0.0/-1", "10.0.0.0/"] {
            assert!(wrong.parse::<AddressRange>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_the_word_of_trusted_proxies_counts() {
        let trusted = TrustedProxies::read("127.0.0.1, 10.0.0.0/8").unwrap();
        let client = |peer, lines: &[&str]| trusted.client(ip(peer), lines.iter().copied());
        assert_eq!(
            client("203.0.113.9", &["192.0.2.1"]),
            ip("203.0.113.9"),
            "who is no proxy may write anything"
        );
        assert_eq!(client("127.0.0.1", &["192.0.2.1"]), ip("192.0.2.1"));
        assert_eq!(client("127.0.0.1", &["198.51.100.1, 192.0.2.1"]), ip("192.0.2.1"), "the last hop counts");
        assert_eq!(client("127.0.0.1", &["198.51.100.1", "192.0.2.1, 10.1.1.1"]), ip("192.0.2.1"));
        assert_eq!(client("127.0.0.1", &[]), ip("127.0.0.1"));
        assert_eq!(client("127.0.0.1", &["192.0.2.1, nonsense"]), ip("127.0.0.1"));
        assert_eq!(client("::ffff:127.0.0.1", &["2001:db8::1"]), ip("2001:db8::1"));
        let nobody = TrustedProxies::default();
        assert_eq!(nobody.client(ip("127.0.0.1"), ["192.0.2.1"].into_iter()), ip("127.0.0.1"));
    }
}
