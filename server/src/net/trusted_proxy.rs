//! The client address behind trusted proxies.

use std::net::IpAddr;
use std::str::FromStr;

use crate::net::forwarded::parse_address;

/// Characters of a value from outside that an error repeats.
const MAX_QUOTED_CHARACTERS: usize = 100;

/// A range of addresses, like `192.0.2.0/24`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    address: IpAddr,
    bits: u32,
}

/// A text that is not an address range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected addresses or ranges like 127.0.0.1 or 10.0.0.0/8, separated by commas, found {found:?}"
)]
pub struct ParseRangeError {
    found: String,
}

impl FromStr for AddressRange {
    type Err = ParseRangeError;

    fn from_str(text: &str) -> Result<Self, ParseRangeError> {
        let error = || ParseRangeError {
            found: text.to_owned(),
        };
        let (address, bits) = text
            .split_once('/')
            .map_or((text, None), |(a, bits)| (a, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits.map_or(Ok(max), str::parse).map_err(|_| error())?;
        match (address.is_ipv6(), address.to_canonical(), bits) {
            (_, _, bits) if bits > max => Err(error()),
            // An IPv4-mapped IPv6 address; client addresses are always canonical.
            (true, address @ IpAddr::V4(_), 96..) => Ok(Self {
                address,
                bits: bits - 96,
            }),
            _ => Ok(Self { address, bits }),
        }
    }
}

impl AddressRange {
    fn contains(self, address: IpAddr) -> bool {
        // A shift by all bits returns `None`: the range contains every address.
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                (a.to_bits() ^ b.to_bits())
                    .checked_shr(32 - self.bits)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                (a.to_bits() ^ b.to_bits())
                    .checked_shr(128 - self.bits)
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

/// The client of a request that may have come through trusted proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedClient {
    /// The address of the client, or of the last proxy whose client is unknown.
    pub address: IpAddr,
    /// The reason for which the address is that of a trusted proxy; `None` if it is not.
    pub error: Option<ForwardedError>,
}

/// A trusted proxy that did not name its client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardedError {
    /// The header is missing or empty.
    #[error("expected X-Forwarded-For with the client's address, found none")]
    Missing,
    /// An element is not an address.
    #[error(
        "expected an address like 192.0.2.1, 192.0.2.1:443, 2001:db8::1 or [2001:db8::1]:443 in X-Forwarded-For, \
         found {found:?}"
    )]
    NotAnAddress {
        /// The beginning of the element.
        found: String,
    },
}

/// Proxies whose `X-Forwarded-For` is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<AddressRange>);

impl TrustedProxies {
    /// Parses a comma-separated list.
    ///
    /// # Errors
    /// Returns an error if an element is neither an address nor a range.
    pub fn read(list: &str) -> Result<Self, ParseRangeError> {
        list.split(',')
            .map(|part| part.trim().parse())
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns whether the address is a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(address))
    }

    /// Returns the client behind a connection from `peer` with these `X-Forwarded-For` lines.
    ///
    /// It is the last hop that is not a trusted proxy. Earlier hops were written by that client, and cannot be
    /// trusted. Empty elements do not count, as in every list of HTTP.
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    ) -> ForwardedClient {
        let elements = forwarded_for.rev().flat_map(|line| line.rsplit(','));
        let mut hops = elements
            .map(str::trim)
            .filter(|hop| !hop.is_empty())
            .peekable();
        let mut error = hops.peek().is_none().then_some(ForwardedError::Missing);
        let mut client = peer;
        while self.contains(client)
            && let Some(hop) = hops.next()
        {
            let Some(before) = parse_address(hop) else {
                let found = hop.chars().take(MAX_QUOTED_CHARACTERS).collect();
                error = Some(ForwardedError::NotAnAddress { found });
                break;
            };
            client = before;
        }
        ForwardedClient {
            address: client.to_canonical(),
            error: error.filter(|_| self.contains(client)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn range_contains_its_addresses() {
        let within =
            |range: &str, address| range.parse::<AddressRange>().unwrap().contains(ip(address));
        assert!(within("10.0.0.0/8", "10.255.0.1") && !within("10.0.0.0/8", "11.0.0.1"));
        assert!(within("127.0.0.1", "127.0.0.1") && !within("127.0.0.1", "127.0.0.2"));
        assert!(within("0.0.0.0/0", "203.0.113.9") && !within("0.0.0.0/0", "::1"));
        assert!(
            within("2001:db8::/32", "2001:db8:9::1") && !within("2001:db8::/32", "2001:db9::1")
        );
        assert!(within("::/0", "2001:db8::1"));
        assert!(
            within("127.0.0.1", "::ffff:127.0.0.1"),
            "one address, written in two ways"
        );
        assert!(within("::ffff:127.0.0.1", "127.0.0.1"), "and conversely");
        assert!(
            within("::ffff:10.0.0.0/104", "10.255.0.1")
                && !within("::ffff:10.0.0.0/104", "11.0.0.1")
        );
        for wrong in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "a",
            "10.0.0.0/-1",
            "10.0.0.0/",
        ] {
            assert!(wrong.parse::<AddressRange>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn untrusted_forwarded_for_is_ignored() {
        let trusted = TrustedProxies::read("127.0.0.1, 10.0.0.0/8").unwrap();
        let client = |peer, lines: &[&str]| trusted.client(ip(peer), lines.iter().copied()).address;
        assert_eq!(
            client("203.0.113.9", &["192.0.2.1"]),
            ip("203.0.113.9"),
            "the header of an untrusted peer is ignored"
        );
        assert_eq!(client("127.0.0.1", &["192.0.2.1"]), ip("192.0.2.1"));
        assert_eq!(
            client("127.0.0.1", &["198.51.100.1, 192.0.2.1"]),
            ip("192.0.2.1"),
            "the last hop counts"
        );
        assert_eq!(
            client("127.0.0.1", &["198.51.100.1", "192.0.2.1, 10.1.1.1"]),
            ip("192.0.2.1")
        );
        assert_eq!(client("127.0.0.1", &[]), ip("127.0.0.1"));
        assert_eq!(
            client("127.0.0.1", &["192.0.2.1, nonsense"]),
            ip("127.0.0.1")
        );
        assert_eq!(
            client("::ffff:127.0.0.1", &["2001:db8::1"]),
            ip("2001:db8::1")
        );
        let none = TrustedProxies::default();
        assert_eq!(
            none.client(ip("127.0.0.1"), ["192.0.2.1"].into_iter()),
            ForwardedClient {
                address: ip("127.0.0.1"),
                error: None
            }
        );
    }

    #[test]
    fn forwarded_forms_name_the_client() {
        let trusted = TrustedProxies::read("127.0.0.1, 10.0.0.0/8").unwrap();
        for (line, address) in [
            ("192.0.2.1:51234", "192.0.2.1"),
            ("[2001:db8::1]:51234", "2001:db8::1"),
            ("\"[2001:db8::1]\"", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            (
                "198.51.100.1, 192.0.2.1:80, [::ffff:10.0.0.1]:443",
                "192.0.2.1",
            ),
            ("192.0.2.1, , 10.1.1.1:80,", "192.0.2.1"),
            ("nonsense, 192.0.2.1", "192.0.2.1"),
        ] {
            let expected = ForwardedClient {
                address: ip(address),
                error: None,
            };
            assert_eq!(
                trusted.client(ip("127.0.0.1"), [line].into_iter()),
                expected,
                "{line:?}"
            );
        }
    }

    #[test]
    fn unknown_client_counts_as_proxy() {
        let trusted = TrustedProxies::read("127.0.0.1, 10.0.0.0/8").unwrap();
        let client = |lines: &[&str]| trusted.client(ip("127.0.0.1"), lines.iter().copied());
        let at = |address, error| ForwardedClient {
            address: ip(address),
            error,
        };
        for missing in [&[][..], &[""], &[" , ", ","]] {
            assert_eq!(
                client(missing),
                at("127.0.0.1", Some(ForwardedError::Missing)),
                "{missing:?}"
            );
        }
        let long = "x".repeat(1000);
        for (line, address, found) in [
            ("192.0.2.1, unknown", "127.0.0.1", "unknown"),
            ("for=192.0.2.1, 10.0.0.7:80", "10.0.0.7", "for=192.0.2.1"),
            (long.as_str(), "127.0.0.1", &long[..MAX_QUOTED_CHARACTERS]),
        ] {
            let found = found.to_owned();
            assert_eq!(
                client(&[line]),
                at(address, Some(ForwardedError::NotAnAddress { found }))
            );
        }
        assert_eq!(
            client(&["10.0.0.7"]),
            at("10.0.0.7", None),
            "a proxy may be a client"
        );
    }
}
