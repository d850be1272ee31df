//! An HTTP proxy on the server's side, which changes requests as such proxies do.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::http_tunnel::{forward, header, listen, read_head, write_head};

/// Options of a reverse proxy. The default forwards requests unchanged.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReverseProxyOptions {
    /// Address of the proxy; `None` for the loopback interface.
    pub address: Option<IpAddr>,
    /// Beginning of paths that the proxy removes, without a slash at the end, like `/train`.
    pub prefix: &'static str,
    /// Whether the proxy removes `Upgrade` and `Connection`.
    pub removes_upgrade: bool,
    /// Value of `Authorization` that the proxy requires.
    pub authorization: Option<&'static str>,
}

/// A proxy whose threads run until the process ends. Each connection has one request.
#[derive(Debug)]
pub struct ReverseProxy {
    address: SocketAddr,
    prefix: &'static str,
    /// First lines of the requests so far.
    requests: Arc<Mutex<Vec<String>>>,
}

impl ReverseProxy {
    /// Starts a proxy before a server.
    ///
    /// # Errors
    /// Returns an error if the system has no free port.
    pub fn to(server: SocketAddr, options: ReverseProxyOptions) -> io::Result<Self> {
        let address = options.address.unwrap_or(Ipv4Addr::LOCALHOST.into());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let list = Arc::clone(&requests);
        let address = listen(address, move |client| serve(client, server, options, &list))?;
        Ok(Self {
            address,
            prefix: options.prefix,
            requests,
        })
    }

    /// Returns the address of the proxy.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the requests so far whose first line contains `text`, such as a path.
    pub fn requests(&self, text: &str) -> Vec<String> {
        let requests = self.requests.lock();
        let requests = requests.unwrap_or_else(PoisonError::into_inner);
        let found = requests.iter().filter(|line| line.contains(text));
        found.cloned().collect()
    }

    /// Returns the URL of a path below the prefix.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{}{path}", self.address, self.prefix)
    }
}

fn serve(
    mut client: TcpStream,
    server: SocketAddr,
    options: ReverseProxyOptions,
    requests: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut head = read_head(&mut client)?;
    let mut lines = requests.lock().unwrap_or_else(PoisonError::into_inner);
    lines.push(head[0].clone());
    drop(lines);
    let is_admitted = options
        .authorization
        .is_none_or(|expected| header(&head, "authorization") == Some(expected));
    if !is_admitted {
        return respond(
            &mut client,
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"test\"",
        );
    }
    let Some(line) = without_prefix(&head[0], options.prefix) else {
        return respond(&mut client, "404 Not Found", "X-Proxy: test");
    };
    let is_upgrade = header(&head, "upgrade").is_some() && !options.removes_upgrade;
    head[0] = line;
    if !is_upgrade {
        let is_hop = |line: &str| {
            let name = line.split(':').next().unwrap_or_default();
            ["connection", "upgrade"].contains(&name.to_ascii_lowercase().as_str())
        };
        head.retain(|line| !is_hop(line));
        head.push("Connection: close".to_owned());
    }
    let mut server = TcpStream::connect(server)?;
    write_head(&mut server, &head)?;
    forward(&client, &server)
}

fn respond(client: &mut TcpStream, status: &str, field: &str) -> io::Result<()> {
    let lines = [
        format!("HTTP/1.1 {status}"),
        field.to_owned(),
        "Content-Length: 0".to_owned(),
        "Connection: close".to_owned(),
    ];
    write_head(client, &lines)
}

/// Removes the prefix from the path of a request line. `None` if the path has another beginning.
fn without_prefix(line: &str, prefix: &str) -> Option<String> {
    let (method, rest) = line.split_once(' ')?;
    let rest = rest.strip_prefix(prefix)?;
    rest.starts_with('/').then(|| format!("{method} {rest}"))
}
