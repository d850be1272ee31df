//! A server, and downloads from it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use farsign::dataset::{Dataset, DatasetError, IdxFile, IdxPair, MAX_FILE_BYTES};
use tokio_tungstenite::tungstenite::http::header;
use ureq::config::RedirectAuthHeaders;

use super::authorities::{Authorities, AuthoritiesError};
use super::failure;
use super::proxy::{HttpProxy, ProxyError};
use crate::server_url::ServerUrl;

/// Time to connect, and time until a response begins.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest read part of a response that reports an error.
const MAX_ERROR_BYTES: u64 = 4096;

/// Estimate of a request and of the header of its response, in bytes.
const HEADER_BYTES: u64 = 800;

/// A server, and the way to it.
#[derive(Clone, Debug)]
pub struct RemoteServer {
    pub(super) url: ServerUrl,
    /// `None` for direct connections.
    pub(super) proxy: Option<HttpProxy>,
    pub(super) authorities: Authorities,
    /// Bytes of downloads that were not counted yet.
    downloaded: Arc<AtomicU64>,
}

/// An invalid environment, or an invalid file of certificate authorities.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum EnvironmentError {
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
}

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
    #[error("the server's training data is invalid: {0}")]
    Dataset(#[from] DatasetError),
}

impl RemoteServer {
    /// Returns a server that is connected directly, and trusted if its certificate is of a public authority.
    pub fn direct(url: ServerUrl) -> Self {
        Self {
            url,
            proxy: None,
            authorities: Authorities::built_in(),
            downloaded: Arc::default(),
        }
    }

    /// Returns a server with the proxy that the environment names, and the certificate authorities of a file, else of
    /// the environment.
    ///
    /// # Errors
    /// Returns an error if a variable or the file is invalid.
    pub fn from_environment(
        url: ServerUrl,
        ca_file: Option<&Path>,
    ) -> Result<Self, EnvironmentError> {
        let proxy = HttpProxy::from_environment(&url.http_url("/"))?;
        let uses_tls = url.is_secure() || proxy.as_ref().is_some_and(HttpProxy::is_secure);
        let authorities = if uses_tls || ca_file.is_some() {
            Authorities::from_environment(ca_file)?
        } else {
            Authorities::built_in()
        };
        Ok(Self {
            url,
            proxy,
            authorities,
            downloaded: Arc::default(),
        })
    }

    /// Returns whether the server is reached without a line: on this machine, and not through a proxy.
    pub fn is_on_this_machine(&self) -> bool {
        self.proxy.is_none() && self.url.is_loopback()
    }

    /// Downloads the training data. Blocks the calling thread.
    ///
    /// # Errors
    /// Returns an error if the download fails or the data is invalid.
    pub fn training_data(&self) -> Result<Dataset, DownloadError> {
        let images = "train-images-idx3-ubyte.gz";
        let labels = "train-labels-idx1-ubyte.gz";
        let download =
            |name: &str| self.download(&format!("/api/v1/dataset/{name}"), MAX_FILE_BYTES);
        let image_bytes = download(images)?;
        let label_bytes = download(labels)?;
        Ok(Dataset::training(IdxPair {
            images: IdxFile {
                name: images,
                bytes: &image_bytes,
            },
            labels: IdxFile {
                name: labels,
                bytes: &label_bytes,
            },
        })?)
    }

    /// Downloads a file of at most `max_bytes` bytes. Blocks the calling thread.
    ///
    /// # Errors
    /// Returns an error if the server does not respond with such a file.
    pub fn download(&self, path: &str, max_bytes: u64) -> Result<Vec<u8>, DownloadError> {
        let failed = |cause, is_transient| DownloadError::Request {
            url: self.url.http_url(path),
            cause,
            is_transient,
        };
        let of_error = |error: ureq::Error| {
            let cause = self.with_proxy(failure::of_download(&error, &self.url));
            failed(cause, failure::is_transient(&error))
        };
        let mut request = self.agent().get(self.url.http_url(path));
        if let Some(authorization) = self.url.authorization() {
            request = request.header(header::AUTHORIZATION, authorization.as_str());
        }
        self.count_download(HEADER_BYTES);
        let mut response = request.call().map_err(of_error)?;
        let status = response.status();
        let body = response.body_mut().with_config();
        if status.is_success() {
            let body = body.limit(max_bytes).read_to_vec().map_err(of_error)?;
            self.count_download(body.len() as u64);
            Ok(body)
        } else {
            let body = body
                .limit(MAX_ERROR_BYTES)
                .lossy_utf8(true)
                .read_to_string();
            let body = body.unwrap_or_default(); // a longer page has no reason for people
            let cause = failure::of_response(status, &body, &self.url);
            Err(failed(cause, failure::is_transient_status(status)))
        }
    }

    fn count_download(&self, bytes: u64) {
        self.downloaded.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns the bytes of the downloads since the last call, over all clones of this server.
    pub(crate) fn take_downloaded_bytes(&self) -> u64 {
        self.downloaded.swap(0, Ordering::Relaxed)
    }

    fn agent(&self) -> ureq::Agent {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(DOWNLOAD_TIMEOUT))
            .timeout_recv_response(Some(DOWNLOAD_TIMEOUT))
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .proxy(self.proxy.as_ref().map(HttpProxy::of_downloads))
            .tls_config(self.authorities.of_downloads());
        config.build().into()
    }

    /// Adds the proxy to a description of a failure.
    pub(super) fn with_proxy(&self, cause: String) -> String {
        match &self.proxy {
            None => cause,
            Some(proxy) => {
                let proxy = proxy.description();
                format!("{cause} (through {proxy}; NO_PROXY names servers that need no proxy)")
            }
        }
    }
}
