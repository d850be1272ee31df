//! The training data that all workers of a fleet share.

use std::sync::Arc;
use std::time::Duration;

use farsign::backoff::Backoff;
use farsign::dataset::Dataset;
use tokio::sync::{Mutex, oneshot};

use crate::server_url::{ServerUrl, ServerUrlError};

/// The newest training data of a server.
#[derive(Debug)]
pub struct TrainingData {
    server: ServerUrl,
    /// `None` before the first download. Locked during a download, so that the other workers wait for its result.
    newest: Mutex<Option<Arc<Dataset>>>,
}

impl TrainingData {
    /// Creates the data of a server, which is not downloaded yet.
    pub fn new(server: ServerUrl) -> Self {
        Self {
            server,
            newest: Mutex::default(),
        }
    }

    /// Returns the data, and downloads it unless there is data with another digest than `stale`.
    ///
    /// A download that a later attempt may complete is repeated without end. `wait` is called with each delay, in ms, and
    /// its cause.
    ///
    /// # Errors
    /// Returns an error if the server has no valid data, or does not speak HTTP.
    pub async fn load(
        &self,
        stale: Option<[u8; 32]>,
        backoff: &mut Backoff,
        wait: impl Fn(u32, String),
    ) -> Result<Arc<Dataset>, ServerUrlError> {
        let mut newest = self.newest.lock().await;
        if let Some(data) = &*newest
            && stale != Some(data.digest())
        {
            return Ok(Arc::clone(data));
        }
        loop {
            match self.download().await {
                Ok(data) => return Ok(Arc::clone(newest.insert(Arc::new(data)))),
                Err(error) if is_transient(&error) => {
                    let delay_ms = backoff.next_ms(rand::random());
                    wait(delay_ms, error.to_string());
                    tokio::time::sleep(Duration::from_millis(delay_ms.into())).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Downloads the data on a thread of its own, which a stopped fleet does not wait for.
    async fn download(&self) -> Result<Dataset, ServerUrlError> {
        let server = self.server.clone();
        let (sender, downloaded) = oneshot::channel();
        std::thread::spawn(move || _ = sender.send(server.training_data())); // a stopped fleet does not receive it
        downloaded.await.expect("a download does not panic")
    }
}

/// Returns whether a later attempt may succeed: the server or a proxy may be starting, restarting or overloaded.
fn is_transient(error: &ServerUrlError) -> bool {
    let ServerUrlError::Download { source, .. } = error else {
        return false;
    };
    match &**source {
        // 501 and 505 are not implemented, and stay so.
        ureq::Error::StatusCode(status) => {
            matches!(status, 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
        }
        // An invalid certificate, or a server without TLS.
        ureq::Error::Io(error) => error.kind() != std::io::ErrorKind::InvalidData,
        ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::ConnectProxyFailed(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    fn is_retried(source: ureq::Error) -> bool {
        is_transient(&ServerUrlError::Download {
            url: "http://127.0.0.1:8080".to_owned(),
            source: Box::new(source),
        })
    }

    #[test]
    fn temporary_faults_are_retried() {
        for status in [408, 429, 500, 502, 503, 504, 522] {
            assert!(is_retried(ureq::Error::StatusCode(status)), "{status}");
        }
        for kind in [
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionReset,
            ErrorKind::UnexpectedEof,
        ] {
            assert!(is_retried(Error::from(kind).into()), "{kind}");
        }
        assert!(is_retried(ureq::Error::HostNotFound));
    }

    #[test]
    fn lasting_faults_are_not_retried() {
        for status in [400, 401, 403, 404, 410, 501, 505] {
            assert!(!is_retried(ureq::Error::StatusCode(status)), "{status}");
        }
        let certificate = Error::new(ErrorKind::InvalidData, "invalid peer certificate");
        assert!(!is_retried(certificate.into()));
        assert!(!is_retried(ureq::Error::TlsRequired));
    }
}
