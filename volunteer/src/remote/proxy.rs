//! HTTP proxies, from the environment variables that other programs read too.
//!
//! Every connection to a server, for a download or a socket, takes the same proxy. The proxy opens a tunnel (`CONNECT`),
//! because many proxies do not pass WebSockets on in another way.

use std::net::IpAddr;

use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::http::Uri;
use ureq::{Proxy, ProxyProtocol};

use crate::server_url::{Authorization, is_complete};

/// Variables with the proxy of `http` servers, in the order of their use.
const OF_HTTP: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

/// Variables with the proxy of `https` servers, in the order of their use.
const OF_HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// Variables with the servers that need no proxy.
const NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// Longest response of a proxy to `CONNECT`.
const MAX_RESPONSE_BYTES: usize = 8 * 1024;

/// A proxy, and the variable that names it.
#[derive(Clone, Debug)]
pub struct HttpProxy {
    proxy: Proxy,
    variable: &'static str,
}

/// An invalid value of a variable: not an address, or with a scheme other than `http` and `https`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: expected an HTTP proxy like http://proxy.example:3128, found {found}")]
pub struct ProxyError {
    variable: &'static str,
    /// A description. The value may contain a password.
    found: String,
}

/// A tunnel that a proxy did not open.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TunnelError {
    #[error("the connection was lost: {0}")]
    Connection(#[from] std::io::Error),
    #[error("expected an HTTP response, found {found:?}")]
    Response { found: String },
    #[error("it responded with {0}")]
    Refused(String),
}

impl HttpProxy {
    /// Returns the proxy for an address, from the variables of the environment. `None` for a direct connection.
    ///
    /// # Errors
    /// Returns an error if the variable for this address is invalid.
    pub fn from_environment(url: &str) -> Result<Option<Self>, ProxyError> {
        Self::find(url, |name| std::env::var(name).ok())
    }

    /// Returns the proxy for an address, from these variables.
    fn find(
        url: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ProxyError> {
        let Ok(uri) = url.parse::<Uri>() else {
            return Ok(None); // such a request fails in any case
        };
        let first_set = |names: &'static [&'static str]| {
            names.iter().find_map(|name| {
                let value = variable(name)?.trim().to_owned();
                (!value.is_empty()).then_some((*name, value))
            })
        };
        let is_https = uri.scheme_str() == Some("https");
        let names = if is_https { &OF_HTTPS } else { &OF_HTTP };
        let Some((variable, value)) = first_set(names) else {
            return Ok(None);
        };
        let excluded = first_set(&NO_PROXY).map_or(String::new(), |(_, list)| list);
        if is_excluded(&uri, &excluded) {
            return Ok(None);
        }
        let proxy = parse(&value).map_err(|found| ProxyError { variable, found })?;
        Ok(Some(Self { proxy, variable }))
    }

    /// Returns the proxy for downloads.
    pub fn of_downloads(&self) -> Proxy {
        self.proxy.clone()
    }

    /// Returns name and port of the proxy.
    pub fn address(&self) -> (&str, u16) {
        (without_brackets(self.proxy.host()), self.proxy.port())
    }

    /// Returns whether the connection to the proxy itself uses TLS.
    pub fn is_secure(&self) -> bool {
        self.proxy.protocol() == ProxyProtocol::Https
    }

    /// Describes the proxy for error messages, without its password.
    pub fn description(&self) -> String {
        let (address, port) = self.address();
        let variable = self.variable;
        format!("the proxy {address}:{port} of {variable}")
    }

    /// Opens a tunnel to a server on a connection to the proxy.
    ///
    /// # Errors
    /// Returns an error if the connection is lost or the proxy refuses.
    pub async fn open_tunnel<S>(&self, stream: &mut S, target: &str) -> Result<(), TunnelError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let authorization = self.proxy.username().map_or(String::new(), |user| {
            let password = self.proxy.password().unwrap_or_default();
            let credentials = Authorization::basic(user.as_bytes(), password.as_bytes());
            format!("Proxy-Authorization: {}\r\n", credentials.as_str())
        });
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let response = read_head(stream).await?;
        let status = status_of(&response).ok_or_else(|| TunnelError::Response {
            found: response.chars().take(60).collect(),
        })?;
        if status.starts_with('2') {
            Ok(())
        } else {
            Err(TunnelError::Refused(status.to_owned()))
        }
    }
}

/// Parses the address of a proxy. The error describes the value.
fn parse(value: &str) -> Result<Proxy, String> {
    let proxy = Proxy::new(value).map_err(|_| "another form".to_owned())?;
    let is_complete = proxy.uri().authority().is_some_and(is_complete);
    match proxy.protocol() {
        _ if !is_complete => Err("another form".to_owned()),
        ProxyProtocol::Http | ProxyProtocol::Https => Ok(proxy),
        other => Err(format!("a {other} proxy, which is not supported")),
    }
}

/// Returns whether the list excludes the server from the proxy, by the rules of curl.
fn is_excluded(uri: &Uri, list: &str) -> bool {
    let entries: Vec<String> = list
        .split([',', ' '])
        .filter_map(|entry| entry_for(uri, entry))
        .collect();
    if entries.iter().any(|entry| entry == "*") {
        return true; // the matcher knows it for names only
    }
    let any_proxy = Matcher::builder().all("http://proxy");
    let matcher = any_proxy.no(entries.join(",")).build();
    matcher.intercept(uri).is_none()
}

/// Returns an entry of the list without its port, in the form that the matcher reads. `None` if it is for another port.
fn entry_for(uri: &Uri, entry: &str) -> Option<String> {
    if entry.parse::<IpAddr>().is_ok() {
        return Some(entry.to_owned());
    }
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) if is_port(port) && (name.ends_with(']') || !name.contains(':')) => {
            (name, Some(port))
        }
        _ => (entry, None),
    };
    let default_port = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port_of_server = uri.port_u16().unwrap_or(default_port).to_string();
    if port.is_some_and(|port| port != port_of_server) {
        return None;
    }
    let subdomains = name.strip_prefix('*').filter(|rest| rest.starts_with('.'));
    Some(without_brackets(subdomains.unwrap_or(name)).to_owned())
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns a name without the brackets of an IPv6 address.
pub(super) fn without_brackets(name: &str) -> &str {
    let bare = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(name)
}

/// Reads a response up to the end of its headers, and nothing of what follows.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Result<String, std::io::Error> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_RESPONSE_BYTES {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Returns the code of a response with its text, for example `403 Forbidden`. `None` if it is not a response.
fn status_of(head: &str) -> Option<&str> {
    let (version, status) = head.lines().next()?.split_once(' ')?;
    let code = status.split(' ').next()?;
    let is_status = version.starts_with("HTTP/1.") && code.len() == 3 && is_port(code);
    is_status.then_some(status.trim_end())
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// Returns the address and the variable of the proxy for a server.
    fn found(url: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variable = |name: &str| {
            let value = variables.iter().find(|(set, _)| *set == name);
            value.map(|(_, value)| (*value).to_owned())
        };
        let proxy = HttpProxy::find(url, variable).map_err(|error| error.to_string())?;
        Ok(proxy.map(|proxy| proxy.description()))
    }

    #[test]
    fn proxy_depends_on_scheme() {
        let both = [("HTTP_PROXY", "http://a:1"), ("https_proxy", "b:2")];
        let of = |url| found(url, &both).unwrap().unwrap();
        assert_eq!(of("http://h:8080"), "the proxy a:1 of HTTP_PROXY");
        assert_eq!(of("https://h"), "the proxy b:2 of https_proxy");
        let all = [("ALL_PROXY", "http://u:p@c"), ("http_proxy", " ")];
        for url in ["http://h", "https://h"] {
            let proxy = found(url, &all).unwrap();
            assert_eq!(proxy.as_deref(), Some("the proxy c:80 of ALL_PROXY"));
        }
        assert_eq!(found("http://h", &[("HTTPS_PROXY", "b")]), Ok(None));
        assert_eq!(found("http://h", &[]), Ok(None));
    }

    #[test]
    fn invalid_proxy_is_named() {
        for (value, hint) in [
            ("socks5h://u:secret@p:1080", "a SOCKS5h proxy"),
            ("ftp://u:secret@p", "another form"),
            ("http://u:secret@:x", "another form"),
            ("http://u:sec#ret@p", "another form"),
        ] {
            let error = found("http://h", &[("ALL_PROXY", value)]).unwrap_err();
            assert!(error.starts_with("ALL_PROXY: expected"), "{error}");
            assert!(error.contains(hint) && !error.contains("ret"), "{error}");
        }
    }

    #[test]
    fn excluded_servers_need_no_proxy() {
        let is_direct = |url: &str, list: &str| {
            let variables = [("HTTP_PROXY", "http://p:1"), ("NO_PROXY", list)];
            found(url, &variables).unwrap().is_none()
        };
        for (url, list) in [
            ("http://h:8080", "h"),
            ("http://H:8080", "x, h"),
            ("http://h:8080", "*"),
            ("http://127.0.0.1:8080", "x, *"),
            ("http://a.h.example", "h.example"),
            ("http://a.h.example", ".h.example,x"),
            ("http://a.h.example", "*.h.example"),
            ("http://h:8080", "h:8080"),
            ("http://h", "h:80"),
            ("http://127.0.0.1:8080", "localhost 127.0.0.1"),
            ("http://127.0.0.1:8080", "127.0.0.0/8"),
            ("http://[::1]:8080", "::1"),
            ("http://[::1]:8080", "[::1]"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://[fd00::1]:8080", "fd00::/8"),
        ] {
            assert!(is_direct(url, list), "{url} with {list}");
        }
        for (url, list) in [
            ("http://h:8080", ""),
            ("http://h:8080", ","),
            ("http://h:8080", "h:8081"),
            ("http://xh", "h"),
            ("http://127.0.0.1", "localhost"),
            ("http://128.0.0.1", "127.0.0.0/8"),
        ] {
            assert!(!is_direct(url, list), "{url} with {list}");
        }
    }

    /// Opens a tunnel through a proxy that gives this response, and returns the result and the request.
    async fn tunnel(response: &str) -> (Result<(), String>, String) {
        let (mut client, mut server) = duplex(4096);
        let proxy = HttpProxy::find("http://h:1", |name| {
            (name == "http_proxy").then(|| "http://Aladdin:open%20sesame@p".to_owned())
        });
        let proxy = proxy.unwrap().unwrap();
        server.write_all(response.as_bytes()).await.unwrap();
        let opened = proxy.open_tunnel(&mut client, "h:1").await;
        drop(client);
        let mut request = String::new();
        server.read_to_string(&mut request).await.unwrap();
        (opened.map_err(|error| error.to_string()), request)
    }

    #[tokio::test]
    async fn tunnel_sends_credentials() {
        let (opened, request) = tunnel("HTTP/1.1 200 Connection established\r\n\r\n").await;
        assert_eq!(opened, Ok(()));
        assert_eq!(
            request,
            "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\
             Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn refused_tunnel_has_a_reason() {
        for (response, reason) in [
            (
                "HTTP/1.1 403 Forbidden\r\nX: y\r\n\r\n",
                "it responded with 403 Forbidden",
            ),
            ("HTTP/1.0 407 \r\n\r\n", "it responded with 407"),
            ("SSH-2.0-OpenSSH\r\n\r\n", "found \"SSH-2.0-OpenSSH"),
        ] {
            let (opened, _) = tunnel(response).await;
            let error = opened.unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
