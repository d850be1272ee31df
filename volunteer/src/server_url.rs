//! The address of a server, and downloads from it.

use std::str::FromStr;
use std::time::Duration;

use farsign::dataset::{Dataset, DatasetError, IdxFile, IdxPair, MAX_FILE_BYTES};
use tokio_tungstenite::tungstenite::http::Uri;

/// Time to connect, and time until a response begins.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(20);

/// The address of a server, given as the address of its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    secure: bool,
    /// Host, port and path prefix, without a trailing slash.
    authority_and_prefix: String,
}

/// An invalid server address, or a failed download.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ServerUrlError {
    #[error("expected an address like http://127.0.0.1:8080, found {found:?}")]
    Address { found: String },
    #[error("could not download {url}: {source}; is the server running?")]
    Download {
        url: String,
        source: Box<ureq::Error>,
    },
    #[error("the server's training data is invalid: {0}")]
    Dataset(#[from] DatasetError),
}

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<Self, ServerUrlError> {
        let invalid = || ServerUrlError::Address {
            found: text.to_owned(),
        };
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        let secure = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(invalid()),
        };
        let authority = uri.authority().ok_or_else(invalid)?;
        let prefix = uri.path().trim_end_matches('/').trim_end_matches("/ws");
        Ok(Self {
            secure,
            authority_and_prefix: format!("{authority}{prefix}"),
        })
    }
}

impl ServerUrl {
    fn url(&self, scheme: &str, path: &str) -> String {
        let secure = if self.secure { "s" } else { "" };
        format!("{scheme}{secure}://{}{path}", self.authority_and_prefix)
    }

    /// Returns the address of the WebSocket.
    pub fn socket_url(&self) -> String {
        self.url("ws", "/ws")
    }

    /// Downloads the training data. Blocks the calling thread.
    ///
    /// # Errors
    /// Returns an error if the download fails or the data is invalid.
    pub fn training_data(&self) -> Result<Dataset, ServerUrlError> {
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
    pub fn download(&self, path: &str, max_bytes: u64) -> Result<Vec<u8>, ServerUrlError> {
        let url = self.url("http", path);
        let read = |mut response: ureq::http::Response<ureq::Body>| {
            response
                .body_mut()
                .with_config()
                .limit(max_bytes)
                .read_to_vec()
        };
        agent()
            .get(&url)
            .call()
            .and_then(read)
            .map_err(|source| ServerUrlError::Download {
                url,
                source: Box::new(source),
            })
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_connect(Some(DOWNLOAD_TIMEOUT))
        .timeout_recv_response(Some(DOWNLOAD_TIMEOUT));
    config.build().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_and_socket_addresses_are_equivalent() {
        let socket_url = |text: &str| text.parse::<ServerUrl>().map(|server| server.socket_url());
        for text in ["http://h:1", "http://h:1/", "ws://h:1/ws"] {
            assert_eq!(socket_url(text).unwrap(), "ws://h:1/ws");
        }
        assert_eq!(socket_url("https://h/train/").unwrap(), "wss://h/train/ws");
        for text in ["h:1", "ftp://h", "", "http://"] {
            assert!(
                matches!(socket_url(text), Err(ServerUrlError::Address { .. })),
                "{text:?}"
            );
        }
    }
}
