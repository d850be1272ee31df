//! A cache between volunteers and a server that returns a wrong shard of the training data.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::http_tunnel::{forward, header, listen, read_head, write_head};

/// Path of every shard.
const SHARDS: &str = "GET /api/v1/data/shards/";

/// Options of a hostile cache.
#[derive(Clone, Debug)]
pub struct HostileCacheOptions {
    /// Digest of the shard that the cache returns for any other.
    pub shard: String,
    /// Whether requests with `Cache-Control: no-cache` reach the server.
    pub is_bypassable: bool,
}

/// A cache whose threads run until the process ends. Each connection has one request.
#[derive(Debug)]
pub struct HostileCache {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl HostileCache {
    /// Starts a cache before a server.
    ///
    /// # Errors
    /// Returns an error if the system has no free port.
    pub fn to(server: SocketAddr, options: HostileCacheOptions) -> io::Result<Self> {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let address = listen(([127, 0, 0, 1]).into(), move |client| {
            serve(client, server, &options, &counter)
        })?;
        Ok(Self { address, requests })
    }

    /// Returns the address of the cache.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of requests for shards.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

fn serve(
    mut client: TcpStream,
    server: SocketAddr,
    options: &HostileCacheOptions,
    requests: &AtomicUsize,
) -> io::Result<()> {
    let mut head = read_head(&mut client)?;
    if head[0].starts_with(SHARDS) {
        requests.fetch_add(1, Ordering::Relaxed);
        let is_bypassed = header(&head, "cache-control") == Some("no-cache");
        if !(is_bypassed && options.is_bypassable) {
            head[0] = format!("{SHARDS}{} HTTP/1.1", options.shard);
        }
    }
    if header(&head, "upgrade").is_none() {
        head.retain(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        head.push("Connection: close".to_owned());
    }
    let mut server = TcpStream::connect(server)?;
    write_head(&mut server, &head)?;
    forward(&client, &server)
}
