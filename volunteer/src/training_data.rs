//! The training data that all workers of a fleet share.

use std::sync::Arc;
use std::time::Duration;

use farsign::backoff::Backoff;
use farsign::dataset::Dataset;
use tokio::sync::{Mutex, oneshot};

use crate::remote::{DownloadError, RemoteServer};

/// The newest training data of a server.
#[derive(Debug)]
pub struct TrainingData {
    server: RemoteServer,
    /// `None` before the first download. Locked during a download, so that the other workers wait for its result.
    newest: Mutex<Option<Arc<Dataset>>>,
}

impl TrainingData {
    /// Creates the data of a server, which is not downloaded yet.
    pub fn new(server: RemoteServer) -> Self {
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
    ) -> Result<Arc<Dataset>, DownloadError> {
        let mut newest = self.newest.lock().await;
        if let Some(data) = &*newest
            && stale != Some(data.digest())
        {
            return Ok(Arc::clone(data));
        }
        loop {
            match self.download().await {
                Ok(data) => return Ok(Arc::clone(newest.insert(Arc::new(data)))),
                Err(
                    error @ DownloadError::Request {
                        is_transient: true, ..
                    },
                ) => {
                    let delay_ms = backoff.next_ms(rand::random());
                    wait(delay_ms, error.to_string());
                    tokio::time::sleep(Duration::from_millis(delay_ms.into())).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Downloads the data on a thread of its own, which a stopped fleet does not wait for.
    async fn download(&self) -> Result<Dataset, DownloadError> {
        let server = self.server.clone();
        let (sender, downloaded) = oneshot::channel();
        std::thread::spawn(move || _ = sender.send(server.training_data())); // a stopped fleet does not receive it
        downloaded.await.expect("a download does not panic")
    }
}
