//! The address that a server listens on, as an operator writes it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An IP address or a name, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// Without the brackets of an IPv6 address.
    name: String,
    port: u16,
}

/// A text that is not an address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST:PORT, like 127.0.0.1:8080, localhost:8080 or [::1]:8080, found {found:?}")]
pub struct ParseListenAddressError {
    found: String,
}

impl FromStr for ListenAddress {
    type Err = ParseListenAddressError;

    fn from_str(text: &str) -> Result<Self, ParseListenAddressError> {
        let invalid = || ParseListenAddressError {
            found: text.to_owned(),
        };
        let (name, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_port).ok_or_else(invalid)?;
        let bracketed = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        let is_valid = match bracketed {
            Some(address) => is_ipv6(address),
            None => is_name(name),
        };
        if !is_valid {
            return Err(invalid());
        }
        Ok(Self {
            name: bracketed.unwrap_or(name).to_owned(),
            port,
        })
    }
}

/// Returns whether a text is an IPv6 address, possibly with its zone as in `fe80::1%eth0`.
fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

/// Returns whether a text can be an IPv4 address or the name of a machine.
fn is_name(text: &str) -> bool {
    let is_part = |part: char| part.is_alphanumeric() || matches!(part, '.' | '-' | '_');
    !text.is_empty() && text.chars().all(is_part)
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port } = self;
        if name.contains(':') {
            write!(f, "[{name}]:{port}")
        } else {
            write!(f, "{name}:{port}")
        }
    }
}

impl<A: Into<IpAddr>> From<(A, u16)> for ListenAddress {
    fn from((address, port): (A, u16)) -> Self {
        let address: IpAddr = address.into();
        Self {
            name: address.to_string(),
            port,
        }
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl ListenAddress {
    /// Returns the addresses of the name, each once, in the order in which the system prefers them.
    ///
    /// # Errors
    /// Returns an error if the name has no address.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let mut addresses = Vec::new();
        for address in (self.name.as_str(), self.port).to_socket_addrs()? {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} has no address", self.name),
            ));
        }
        Ok(addresses)
    }

    /// Returns the authority of a URL that a browser on this machine opens, if the server listens on `bound`.
    pub fn url_authority(&self, bound: SocketAddr) -> String {
        let port = bound.port();
        let ip = match bound.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let is_name = !self.name.contains(':') && self.name.parse::<IpAddr>().is_err();
        if is_name && !bound.ip().is_unspecified() {
            format!("{}:{port}", self.name)
        } else {
            SocketAddr::new(ip, port).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ListenAddress {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_and_names_are_read() {
        for text in [
            "127.0.0.1:8080",
            "[::1]:0",
            "[::]:65535",
            "[fe80::1%eth0]:80",
            "localhost:80",
            "my-machine.example.org:443",
            "münchen:80",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
        assert_eq!(
            ListenAddress::from((Ipv6Addr::LOCALHOST, 80)).to_string(),
            "[::1]:80"
        );
    }

    #[test]
    fn invalid_address_is_an_error() {
        for text in [
            "",
            ":8080",
            "8080",
            "localhost",
            "localhost:",
            "localhost:http",
            "localhost:65536",
            "localhost:+80",
            "::1:8080",
            "[localhost]:80",
            "[fe80::x]:80",
            "[::1]",
            "http://localhost:80",
            "*:80",
            "a b:80",
        ] {
            let error = text.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(
                error.contains("expected HOST:PORT") && error.ends_with(&format!("{text:?}")),
                "{error}"
            );
        }
    }

    #[test]
    fn names_have_their_addresses() {
        let addresses = parse("localhost:81").resolve().unwrap();
        assert!(!addresses.is_empty());
        assert!(
            addresses
                .iter()
                .all(|address| address.ip().is_loopback() && address.port() == 81)
        );
        assert!(parse("an..empty.label:80").resolve().is_err());
    }

    #[test]
    fn browsers_open_the_url() {
        let url = |text: &str, bound: &str| parse(text).url_authority(bound.parse().unwrap());
        for (text, bound, expected) in [
            ("0.0.0.0:0", "0.0.0.0:81", "127.0.0.1:81"),
            ("[::]:81", "[::]:81", "[::1]:81"),
            ("127.0.0.1:0", "127.0.0.1:82", "127.0.0.1:82"),
            ("[::1]:0", "[::1]:82", "[::1]:82"),
            ("[fe80::1%2]:80", "[fe80::1%2]:80", "[fe80::1]:80"),
            ("localhost:0", "127.0.0.1:82", "localhost:82"),
            ("localhost:82", "[::1]:82", "localhost:82"),
            ("everywhere:82", "0.0.0.0:82", "127.0.0.1:82"),
        ] {
            assert_eq!(url(text, bound), expected, "{text}");
        }
    }
}
