//! The forms in which proxies write a client's address into `X-Forwarded-For`.

use std::net::IpAddr;

/// Reads an address as proxies write it: `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]` or
/// `[2001:db8::1]:443`, in quotes or not, with or without the zone of a link-local address. `None` if the text has
/// another form.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    if let Some(rest) = text.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        let is_address = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        return bare_address(address).filter(|_| is_address);
    }
    bare_address(text).or_else(|| {
        // Without brackets, `2001:db8::1:443` is an address in its own right, and was read as one.
        let (address, port) = text.rsplit_once(':')?;
        bare_address(address).filter(|_| is_port(port))
    })
}

/// Reads an address without a port.
fn bare_address(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        None => text.parse().ok(),
        Some((address, zone)) => {
            let is_zone = !zone.is_empty() && !zone.contains(char::is_whitespace);
            let address = address.parse().ok().filter(IpAddr::is_ipv6);
            address.filter(|_| is_zone)
        }
    }
}

/// Returns whether the text is a port, possibly empty, or a name in its place, such as `_x7` (RFC 7239).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        None => text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit()),
        Some(name) => name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_of_proxies_are_read() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1"),
            (" 192.0.2.1\t", "192.0.2.1"),
            ("192.0.2.1:51234", "192.0.2.1"),
            ("192.0.2.1:", "192.0.2.1"),
            ("192.0.2.1:_hidden", "192.0.2.1"),
            ("\"192.0.2.1\"", "192.0.2.1"),
            ("'192.0.2.1:80'", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:51234", "2001:db8::1"),
            ("\"[2001:db8::1]:51234\"", "2001:db8::1"),
            ("\" [2001:DB8::1] \"", "2001:db8::1"),
            ("2001:db8::1:51234", "2001:db8::1"),
            ("2001:db8:1:2:3:4:5:6:443", "2001:db8:1:2:3:4:5:6"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:443", "fe80::1"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
            ("[::ffff:192.0.2.1]:443", "::ffff:192.0.2.1"),
        ] {
            assert_eq!(parse_address(text), address.parse().ok(), "{text:?}");
        }
    }

    #[test]
    fn other_texts_are_no_addresses() {
        for text in [
            "",
            "\"\"",
            "unknown",
            "_hidden",
            "unix:",
            "localhost:80",
            "for=192.0.2.1",
            "192.0.2.1/32",
            "192.0.2.1 192.0.2.2",
            "192.0.2.1:80:80",
            "192.0.2.1:123456",
            "192.0.2.1:http",
            "192.0.2",
            "192.0.2.1%eth0",
            "[2001:db8::1",
            "[2001:db8::1]443",
            "[2001:db8::1]:x",
            "fe80::1%",
        ] {
            assert_eq!(parse_address(text), None, "{text:?}");
        }
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
            any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
        ]
    }

    proptest! {
        #[test]
        fn decorated_address_is_read(address in any_address(), port: u16, form in 0..4u8, quoted: bool) {
            let text = match (form, address) {
                (0, _) => address.to_string(),
                (1, IpAddr::V4(_)) => format!("{address}:{port}"),
                (2, _) => format!("[{address}]"),
                _ => format!("[{address}]:{port}"),
            };
            let text = if quoted { format!("\"{text}\"") } else { text };
            prop_assert_eq!(parse_address(&text), Some(address), "{}", text);
        }

        #[test]
        fn any_text_is_handled(text in ".*") {
            _ = parse_address(&text);
        }
    }
}
