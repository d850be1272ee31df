//! The address of a server.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::http::uri::Authority;

/// The address of a server, given as the address of its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    secure: bool,
    /// Name and port, an IPv6 address in brackets.
    authority: String,
    /// Path of the page, without a trailing slash.
    prefix: String,
    authorization: Option<Authorization>,
}

/// The value of an `Authorization` header. It contains a password, so it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(String);

/// An invalid server address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseServerUrlError {
    /// The text is not an address of a page.
    #[error(
        "expected an address like http://127.0.0.1:8080 or https://farsign.example/train/, found {found:?}"
    )]
    Address {
        /// The text.
        found: String,
    },
    /// The text is not an address, and may contain a password.
    #[error(
        "expected an address like https://USER:PASSWORD@farsign.example, with other characters than letters and digits \
         in USER and PASSWORD percent-encoded (# as %23, / as %2F, @ as %40), found another form"
    )]
    Credentials,
}

impl Authorization {
    /// Encodes a user name and a password for HTTP's scheme `Basic`.
    pub fn basic(user: &[u8], password: &[u8]) -> Self {
        let credentials = [user, b":", password].concat();
        Self(format!("Basic {}", BASE64_STANDARD.encode(credentials)))
    }

    /// Returns the value of the header, which is ASCII.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(..)")
    }
}

impl FromStr for ServerUrl {
    type Err = ParseServerUrlError;

    fn from_str(text: &str) -> Result<Self, ParseServerUrlError> {
        let text = text.trim(); // a copied address or a variable may end with a space or a line end
        let invalid = || {
            if text.contains('@') {
                return ParseServerUrlError::Credentials;
            }
            ParseServerUrlError::Address {
                found: text.to_owned(),
            }
        };
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        let scheme = uri.scheme_str().map(str::to_ascii_lowercase);
        let secure = match scheme.as_deref() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(invalid()),
        };
        let authority = uri.authority().ok_or_else(invalid)?;
        // Characters that end the authority, such as # in a password, leave the rest of it behind.
        let after = text.split_once(authority.as_str()).map(|(_, rest)| rest);
        if !is_complete(authority) || after.is_none_or(|rest| rest.contains('@')) {
            return Err(invalid());
        }
        let (userinfo, name_and_port) = match authority.as_str().rsplit_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, authority.as_str()),
        };
        let path = uri.path().trim_end_matches('/');
        let prefix = path.strip_suffix("/ws").unwrap_or(path);
        Ok(Self {
            secure,
            authority: name_and_port.to_owned(),
            prefix: prefix.trim_end_matches('/').to_owned(),
            authorization: userinfo.filter(|text| !text.is_empty()).map(basic),
        })
    }
}

/// Returns whether an authority has a name and a valid port, or none; the parser accepts any text.
pub fn is_complete(authority: &Authority) -> bool {
    let text = authority.as_str();
    let name_and_port = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
    let name = authority.host();
    let port = name_and_port.strip_prefix(name).unwrap_or_default();
    let is_port = match port.strip_prefix(':') {
        Some(digits) => digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    !name.is_empty() && is_port
}

/// Decodes `user:password` of an address.
fn basic(userinfo: &str) -> Authorization {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decode = |text| percent_decode_str(text).collect::<Vec<u8>>();
    Authorization::basic(&decode(user), &decode(password))
}

impl ServerUrl {
    fn url(&self, scheme: &str, path: &str) -> String {
        let secure = if self.secure { "s" } else { "" };
        format!("{scheme}{secure}://{}{}{path}", self.authority, self.prefix)
    }

    /// Returns the address of the WebSocket, without user name and password.
    pub fn socket_url(&self) -> String {
        self.url("ws", "/ws")
    }

    /// Returns the address of a path of the server, without user name and password.
    pub fn http_url(&self, path: &str) -> String {
        self.url("http", path)
    }

    /// Returns whether the server is on this machine, so that no line is used.
    pub fn is_loopback(&self) -> bool {
        let uri: Option<Uri> = self.http_url("/").parse().ok();
        let name = uri
            .as_ref()
            .map_or("", |uri| uri.authority().map_or("", |name| name.host()));
        let address = name.trim_start_matches('[').trim_end_matches(']');
        let is_name = name.eq_ignore_ascii_case("localhost");
        is_name
            || address
                .parse()
                .is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// Returns whether the server uses TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the user name and the password. `None` if the address has none.
    pub fn authorization(&self) -> Option<&Authorization> {
        self.authorization.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> ServerUrl {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn page_and_socket_addresses_are_equivalent() {
        for text in [
            "http://h:1",
            "http://h:1/",
            "HTTP://h:1/",
            "ws://h:1/ws",
            " http://h:1\r\n",
        ] {
            assert_eq!(server(text).socket_url(), "ws://h:1/ws", "{text:?}");
        }
        assert_eq!(server("https://h/train/").socket_url(), "wss://h/train/ws");
        assert_eq!(
            server("http://[::1]:8080").http_url("/api"),
            "http://[::1]:8080/api"
        );
    }

    #[test]
    fn other_texts_are_no_addresses() {
        for text in [
            "h:1",
            "ftp://h",
            "",
            "http://",
            "http://:8080",
            "http://h:x",
        ] {
            assert_eq!(
                text.parse::<ServerUrl>(),
                Err(ParseServerUrlError::Address {
                    found: text.to_owned()
                })
            );
        }
    }

    #[test]
    fn user_and_password_are_decoded() {
        for (text, header) in [
            (
                "http://Aladdin:open%20sesame@h:1/",
                "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            ),
            ("wss://u:p%40%3A%2f@h/ws", "Basic dTpwQDov"),
            ("http://u@h", "Basic dTo="),
            ("http://:p@h", "Basic OnA="),
        ] {
            let server = server(text);
            let authorization = server.authorization().map(Authorization::as_str);
            assert_eq!(authorization, Some(header), "{text}");
            assert!(!server.socket_url().contains('@'));
        }
        assert_eq!(server("http://h").authorization(), None);
        assert_eq!(server("http://@h").authorization(), None);
    }

    #[test]
    fn password_is_never_printed() {
        for text in [
            "http://user:sec#ret@h",
            "http://user:12#ret@h",
            "http://user:12/ret@h",
            "ftp://user:secret@h",
            "user:secret@h",
        ] {
            let error = text.parse::<ServerUrl>().unwrap_err();
            assert!(!error.to_string().contains("ret"), "{error}");
            assert!(!error.to_string().contains("user"), "{error}");
        }
        let printed = format!("{:?}", server("http://user:secret@h"));
        assert!(
            !printed.contains("secret") && !printed.contains("dXNl"),
            "{printed}"
        );
    }

    #[test]
    fn own_machine_is_loopback() {
        for (url, is_loopback) in [
            ("http://127.0.0.1:8080", true),
            ("https://LOCALHOST/train/", true),
            ("http://[::1]:8080", true),
            ("http://127.0.0.1.example", false),
            ("http://192.0.2.1", false),
            ("http://localhost.example:8080", false),
        ] {
            let url: ServerUrl = url.parse().unwrap();
            assert_eq!(url.is_loopback(), is_loopback, "{url:?}");
        }
    }
}
