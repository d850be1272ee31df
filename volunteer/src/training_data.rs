//! The training data that all workers of a fleet share, shard by shard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use farsign::backoff::Backoff;
use farsign::dataset::ShardedDataset;
use tokio::sync::{Mutex, oneshot, watch};

use crate::remote::{Caches, DownloadError, Downloads};
use crate::{FleetOptions, FleetStats};

/// Attempts to get the list, or a shard, whose content is right. All but the first bypass caches.
const MAX_CONTENT_ATTEMPTS: u32 = 3;

/// The newest training data of a server.
#[derive(Debug)]
pub struct TrainingData {
    downloads: Downloads,
    stats: Arc<FleetStats>,
    /// Line budget of the fleet, in bytes an hour; `None` without one.
    max_bytes_per_hour: Option<u64>,
    /// Size of the last download, which the next shard probably has too.
    last_bytes: AtomicU64,
    /// Whether a response had other content than expected. Caches are bypassed from then on.
    is_bypassing: AtomicBool,
    /// Locked during downloads, so that the other workers wait for their result.
    downloading: Mutex<()>,
    /// `None` before the first list of shards.
    newest: watch::Sender<Option<ShardedDataset>>,
}

/// What is known about failed downloads in a row.
#[derive(Default)]
struct Failures {
    /// Responses with other content than expected.
    contents: u32,
    /// Digest of data of which the server does not have a shard.
    missing: Option<[u8; 32]>,
    /// Whether caches are bypassed, because one may have returned other content.
    is_bypassing: bool,
}

/// The reaction to a failed download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reaction {
    /// Downloads the same again after a delay.
    Wait,
    /// Downloads the list again.
    NewList,
    Fail,
}

impl TrainingData {
    /// Creates the data of the server of a fleet, which is not downloaded yet. `stats` counts shards and bytes.
    pub fn new(options: &FleetOptions, stats: Arc<FleetStats>) -> Self {
        Self {
            downloads: Downloads::new(options.server.clone()),
            stats,
            max_bytes_per_hour: options.max_bytes_per_hour,
            last_bytes: AtomicU64::default(),
            is_bypassing: AtomicBool::default(),
            downloading: Mutex::default(),
            newest: watch::Sender::default(),
        }
    }

    /// Returns the newest data if it has more shards than `known`, of the same list; else `None`.
    pub fn grown(&self, known: &ShardedDataset) -> Option<ShardedDataset> {
        let newest = self.newest.borrow();
        let newest = newest.as_ref()?;
        (newest.digest() == known.digest() && newest.held() > known.held()).then(|| newest.clone())
    }

    /// Returns the newest data, with the shards that are downloaded; `None` before the list of its shards.
    fn newest(&self) -> Option<ShardedDataset> {
        self.newest.borrow().clone()
    }

    /// Returns data with enough shards for a first task, and downloads what is missing.
    ///
    /// Data with the digest `stale` is replaced. A download that a later attempt may complete is repeated without end.
    /// `wait` is called with each delay, in ms, and its cause.
    ///
    /// # Errors
    /// Returns an error if the server has no valid data, or does not speak HTTP.
    pub async fn load(
        &self,
        stale: Option<[u8; 32]>,
        backoff: &mut Backoff,
        wait: impl Fn(u32, String),
    ) -> Result<ShardedDataset, DownloadError> {
        let _only = self.downloading.lock().await;
        let newest = self.newest();
        let is_stale = |data: &ShardedDataset| stale == Some(data.digest());
        let failures = Failures {
            is_bypassing: newest.as_ref().is_some_and(is_stale),
            ..Failures::default()
        };
        let data = newest.filter(|data| !is_stale(data));
        let is_enough = ShardedDataset::is_ready;
        self.download_until(is_enough, data, failures, backoff, wait)
            .await
    }

    /// Downloads all shards after those that a first task needs, of this data and of data that replaces it. Each waits
    /// until the line budget allows it.
    ///
    /// # Errors
    /// Returns an error if a shard cannot be downloaded. The shards that are held stay usable.
    pub async fn grow(&self, wait: impl Fn(u32, String)) -> Result<(), DownloadError> {
        let mut newest = self.newest.subscribe();
        let can_grow = |data: &Option<ShardedDataset>| {
            data.as_ref()
                .is_some_and(|data| data.is_ready() && !data.is_complete())
        };
        while newest.wait_for(can_grow).await.is_ok() {
            self.wait_for_budget().await;
            let _only = self.downloading.lock().await;
            let data = self.newest();
            let next = data.as_ref().map_or(0, ShardedDataset::held) + 1;
            let is_enough = move |data: &ShardedDataset| data.held() >= next || data.is_complete();
            let mut backoff = Backoff::default();
            self.download_until(is_enough, data, Failures::default(), &mut backoff, &wait)
                .await?;
        }
        Ok(())
    }

    async fn wait_for_budget(&self) {
        loop {
            let bytes = self.last_bytes.load(Ordering::Relaxed);
            let line = &self.stats.line;
            let wait = line.wait_for_download(self.max_bytes_per_hour, bytes);
            if wait.is_zero() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn download_until(
        &self,
        is_enough: impl Fn(&ShardedDataset) -> bool,
        mut data: Option<ShardedDataset>,
        mut failures: Failures,
        backoff: &mut Backoff,
        wait: impl Fn(u32, String),
    ) -> Result<ShardedDataset, DownloadError> {
        failures.is_bypassing |= self.is_bypassing.load(Ordering::Relaxed);
        loop {
            if let Some(data) = data.as_ref().filter(|data| is_enough(data)) {
                return Ok(data.clone());
            }
            let error = match self.download(data.clone(), failures.is_bypassing).await {
                Ok(next) => {
                    failures.contents = 0;
                    self.publish(&next);
                    data = Some(next);
                    continue;
                }
                Err(error) => error,
            };
            let reaction = failures.record(&error, data.as_ref());
            if failures.contents > 0 {
                self.is_bypassing.store(true, Ordering::Relaxed);
            }
            match reaction {
                Reaction::Wait => {
                    let delay_ms = backoff.next_ms(rand::random());
                    wait(delay_ms, error.to_string());
                    tokio::time::sleep(Duration::from_millis(delay_ms.into())).await;
                }
                Reaction::NewList => data = None,
                Reaction::Fail => return Err(error),
            }
        }
    }

    fn publish(&self, data: &ShardedDataset) {
        self.stats.record_shards(data.held(), data.list().shards());
        self.newest.send_replace(Some(data.clone()));
    }

    /// Downloads the next shard, or the list, on a thread of its own, which a stopped fleet does not wait for.
    async fn download(
        &self,
        data: Option<ShardedDataset>,
        is_bypassing: bool,
    ) -> Result<ShardedDataset, DownloadError> {
        let downloads = self.downloads.clone();
        let caches = if is_bypassing {
            Caches::Bypassed
        } else {
            Caches::Used
        };
        let (sender, downloaded) = oneshot::channel();
        let download = move || match data {
            None => Ok(ShardedDataset::new(downloads.list(caches)?)),
            Some(mut data) => {
                downloads.next_shard(&mut data, caches)?;
                Ok(data)
            }
        };
        std::thread::spawn(move || _ = sender.send(download())); // a stopped fleet does not receive it
        let result = downloaded.await.expect("a download does not panic");
        let bytes = self.downloads.take_downloaded_bytes();
        self.last_bytes.store(bytes, Ordering::Relaxed);
        self.stats.line.count_download(bytes);
        result
    }
}

impl Failures {
    /// Records a failure while `data` was downloaded, or its list if it is `None`.
    fn record(&mut self, error: &DownloadError, data: Option<&ShardedDataset>) -> Reaction {
        match error {
            DownloadError::Request {
                is_transient: true, ..
            } => Reaction::Wait,
            // The server may have other data since it sent the list. Then it lists other shards.
            DownloadError::Request { .. } => match data.map(ShardedDataset::digest) {
                Some(digest) if self.missing != Some(digest) => {
                    (self.missing, self.is_bypassing) = (Some(digest), true);
                    Reaction::NewList
                }
                _ => Reaction::Fail,
            },
            DownloadError::List(_) | DownloadError::Shard(_) => {
                self.contents += 1;
                self.is_bypassing = true;
                if self.contents < MAX_CONTENT_ATTEMPTS {
                    Reaction::Wait
                } else {
                    Reaction::Fail
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use farsign::dataset::{Dataset, DatasetParts, ShardError};

    use super::*;

    fn request(is_transient: bool) -> DownloadError {
        DownloadError::Request {
            url: "http://h/".to_owned(),
            cause: "404".to_owned(),
            is_transient,
        }
    }

    fn data(pixel: u8) -> ShardedDataset {
        let parts = DatasetParts {
            rows: 1,
            cols: 1,
            images: vec![pixel, 0],
            labels: vec![0, 1],
        };
        Arc::new(Dataset::from_parts(parts).unwrap()).into()
    }

    #[test]
    fn false_content_is_retried_past_caches() {
        let mut failures = Failures::default();
        let false_content = DownloadError::Shard(ShardError::NoneLeft { shards: 1 });
        for expected in [Reaction::Wait, Reaction::Wait, Reaction::Fail] {
            assert_eq!(failures.record(&false_content, Some(&data(1))), expected);
            assert!(failures.is_bypassing);
        }
    }

    #[test]
    fn missing_shard_requests_list_once() {
        let mut failures = Failures::default();
        for (listed, expected) in [
            (Some(data(1)), Reaction::NewList), // the server may have other data
            (Some(data(1)), Reaction::Fail),    // the new list has the same shards
            (Some(data(2)), Reaction::NewList),
            (None, Reaction::Fail), // no list
        ] {
            let reaction = failures.record(&request(false), listed.as_ref());
            assert_eq!(
                (reaction, failures.is_bypassing),
                (expected, true),
                "{listed:?}"
            );
        }
    }

    #[test]
    fn temporary_fault_uses_caches_again() {
        let mut failures = Failures::default();
        for _ in 0..10 {
            let reaction = failures.record(&request(true), None);
            assert_eq!((reaction, failures.is_bypassing), (Reaction::Wait, false));
        }
    }
}
