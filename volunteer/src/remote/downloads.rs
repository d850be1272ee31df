//! Downloads from a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use farsign::dataset::{ShardError, ShardList, ShardedDataset, hexadecimal};
use tokio_tungstenite::tungstenite::http::header;

use super::failure;
use super::server::RemoteServer;
use super::shard_list::{self, ListError};

/// Size of the longest list of shards.
const MAX_LIST_BYTES: u64 = 256 * 1024;

/// Longest read part of a response that reports an error.
const MAX_ERROR_BYTES: u64 = 4096;

/// Estimate of a request and of the header of its response, in bytes.
const HEADER_BYTES: u64 = 800;

/// A failed download.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum DownloadError {
    #[error("could not download {url}: {cause}")]
    Request {
        url: String,
        cause: String,
        /// Whether a later attempt may succeed.
        is_transient: bool,
    },
    #[error("the server's list of shards is invalid: {0}")]
    List(#[from] ListError),
    #[error("the server's training data is invalid: {0}")]
    Shard(#[from] ShardError),
}

/// Downloads from one server, which share a connection where they can.
#[derive(Clone, Debug)]
pub struct Downloads {
    server: RemoteServer,
    agent: ureq::Agent,
    /// Bytes of all downloads, over all clones.
    downloaded: Arc<AtomicU64>,
}

/// The caches in between that a download may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caches {
    /// Any cache.
    Used,
    /// The server itself responds, because a cache may have returned other content.
    Bypassed,
}

/// Downloads a file of at most `max_bytes` bytes. Blocks the calling thread.
///
/// # Errors
/// Returns an error if the server does not respond with such a file.
pub fn download(
    server: &RemoteServer,
    path: &str,
    max_bytes: u64,
) -> Result<Vec<u8>, DownloadError> {
    Downloads::new(server.clone()).download(path, max_bytes, Caches::Used)
}

impl Downloads {
    /// Begins downloads from a server.
    pub fn new(server: RemoteServer) -> Self {
        let agent = server.agent();
        Self {
            server,
            agent,
            downloaded: Arc::default(),
        }
    }

    /// Returns the bytes of the downloads since the last call, over all clones.
    pub fn take_downloaded_bytes(&self) -> u64 {
        self.downloaded.swap(0, Ordering::Relaxed)
    }

    fn count(&self, bytes: u64) {
        self.downloaded.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Downloads the list of the shards of the training data. Blocks the calling thread.
    ///
    /// # Errors
    /// Returns an error if the download fails or the list is invalid.
    pub fn list(&self, caches: Caches) -> Result<ShardList, DownloadError> {
        let json = self.download("/api/v1/data/shards", MAX_LIST_BYTES, caches)?;
        Ok(shard_list::parse(&json)?)
    }

    /// Downloads the next shard and adds it to `data`, which is unchanged after an error. Blocks the calling thread.
    ///
    /// # Errors
    /// Returns an error if the download fails or returns other content than that shard.
    pub fn next_shard(
        &self,
        data: &mut ShardedDataset,
        caches: Caches,
    ) -> Result<(), DownloadError> {
        let list = data.list();
        let next = data.held();
        let Some(entry) = list.entries().get(next) else {
            return Ok(());
        };
        let path = format!("/api/v1/data/shards/{}", hexadecimal(entry.digest));
        let packed = self.download(&path, list.max_packed_bytes(next), caches)?;
        Ok(data.push(&packed)?)
    }

    /// Downloads a file of at most `max_bytes` bytes. Blocks the calling thread.
    ///
    /// # Errors
    /// Returns an error if the server does not respond with such a file.
    pub fn download(
        &self,
        path: &str,
        max_bytes: u64,
        caches: Caches,
    ) -> Result<Vec<u8>, DownloadError> {
        let url = &self.server.url;
        let failed = |cause, is_transient| DownloadError::Request {
            url: url.http_url(path),
            cause,
            is_transient,
        };
        let of_error = |error: ureq::Error| {
            let cause = self.server.with_proxy(failure::of_download(&error, url));
            failed(cause, failure::is_transient(&error))
        };
        let mut request = self.agent.get(url.http_url(path));
        if let Some(authorization) = url.authorization() {
            request = request.header(header::AUTHORIZATION, authorization.as_str());
        }
        if caches == Caches::Bypassed {
            request = request.header(header::CACHE_CONTROL, "no-cache");
        }
        self.count(HEADER_BYTES);
        let mut response = request.call().map_err(of_error)?;
        let status = response.status();
        let body = response.body_mut().with_config();
        if status.is_success() {
            let body = body.limit(max_bytes).read_to_vec().map_err(of_error)?;
            self.count(body.len() as u64);
            Ok(body)
        } else {
            let body = body
                .limit(MAX_ERROR_BYTES)
                .lossy_utf8(true)
                .read_to_string();
            let body = body.unwrap_or_default(); // a longer page has no reason for people
            let cause = failure::of_response(status, &body, url);
            Err(failed(cause, failure::is_transient_status(status)))
        }
    }
}
