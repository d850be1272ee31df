//! Where a server is, and what it hands out: training data, and the model.

use std::str::FromStr;
use std::time::Duration;

use farsign::dataset::{Dataset, DatasetError, IdxFile, IdxPair, MAX_FILE_BYTES};
use farsign::model::Architecture;
use tokio_tungstenite::tungstenite::http::Uri;

use crate::export::{self, NoModelFile};

/// Most bytes of a file with the model: the parameters, and generous room for their names and what is said of them.
const MODEL_BYTES: u64 = 4 * Architecture::MAX_PARAMETERS + (1 << 20);

/// Time for a connection and for an answer to begin.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A server's address, as its page's address is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    secure: bool,
    /// Host, port and path prefix, without a slash at the end.
    rest: String,
}

/// Why a server cannot be worked for, or its model not be had.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address is none.
    #[error("expected an address like http://127.0.0.1:8080, found {found:?}")]
    Address {
        /// What was given.
        found: String,
    },
    /// Something could not be downloaded.
    #[error("could not download {url}: {source}; is the server running?")]
    Download {
        /// From where.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// The training data is broken.
    #[error("the server's training data is broken: {0}")]
    Dataset(#[from] DatasetError),
    /// What came for a model is none.
    #[error("the server's model cannot be used: {0}")]
    Model(#[from] NoModelFile),
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let wrong = || EndpointError::Address { found: text.to_owned() };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let secure = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let prefix = uri.path().trim_end_matches('/').trim_end_matches("/ws");
        Ok(Self { secure, rest: format!("{authority}{prefix}") })
    }
}

impl Endpoint {
    fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}{}://{}{path}", if self.secure { "s" } else { "" }, self.rest)
    }

    /// Address of the WebSocket.
    pub fn socket_url(&self) -> String {
        self.url("ws", "/ws")
    }

    /// Downloads the training data; blocking.
    ///
    /// # Errors
    /// When it cannot be downloaded or is broken.
    pub fn training_data(&self) -> Result<Dataset, EndpointError> {
        let agent = agent();
        let get = |name: &str| self.download(&agent, &format!("/api/v1/dataset/{name}"), MAX_FILE_BYTES);
        let (images, labels) = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz");
        let (image_bytes, label_bytes) = (get(images)?, get(labels)?);
        Ok(Dataset::training(IdxPair {
            images: IdxFile { name: images, bytes: &image_bytes },
            labels: IdxFile { name: labels, bytes: &label_bytes },
        })?)
    }

    /// Downloads the newest model as a safetensors file; blocking.
    ///
    /// # Errors
    /// When it cannot be downloaded or is something else.
    pub fn model(&self) -> Result<Vec<u8>, EndpointError> {
        let file = self.download(&agent(), "/api/v1/model.safetensors", MODEL_BYTES)?;
        export::check(&file)?;
        Ok(file)
    }

    fn download(&self, agent: &ureq::Agent, path: &str, most_bytes: u64) -> Result<Vec<u8>, EndpointError> {
        let url = self.url("http", path);
        let read = |mut response: ureq::http::Response<ureq::Body>| {
            response.body_mut().with_config().limit(most_bytes).read_to_vec()
        };
        agent
            .get(&url)
            .call()
            .and_then(read)
            .map_err(|source| EndpointError::Download { url, source: Box::new(source) })
    }
}

fn agent() -> ureq::Agent {
    let config =
        ureq::Agent::config_builder().timeout_connect(Some(TIMEOUT)).timeout_recv_response(Some(TIMEOUT));
    config.build().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_page_and_of_a_socket_mean_the_same_server() {
        let socket = |text: &str| text.parse::<Endpoint>().map(|endpoint| endpoint.socket_url());
        for text in ["http://h:1", "http://h:1/", "ws://h:1/ws"] {
            assert_eq!(socket(text).unwrap(), "ws://h:1/ws");
        }
        assert_eq!(socket("https://h/train/").unwrap(), "wss://h/train/ws");
        for text in ["h:1", "ftp://h", "", "http://"] {
            assert!(matches!(socket(text), Err(EndpointError::Address { .. })), "{text:?}");
        }
    }
}
