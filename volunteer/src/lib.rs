//! The native volunteer: runs the algorithm of the browser page on machines without a browser.
//!
//! ```text
//!   run_fleet -- thread "worker-0" -- WebSocket --+
//!       |        thread "worker-1" -- WebSocket --+-- server
//!       |        ...                              |
//!       +------- GET shards of training data -----+
//! ```
//!
//! Each worker is a thread with its own connection. Workers share only the training data, whose last shards another
//! thread downloads. A worker that loses its connection reconnects after a jittered delay, unless the server ended its
//! session for good. Downloads are repeated after the same delays, and a worker whose server has other data downloads
//! it.

mod attack;
mod disconnect;
mod identity_file;
mod line;
mod remote;
mod server_url;
mod training_data;
mod worker;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use farsign::backoff::Backoff;
use farsign::dataset::ShardedDataset;
use farsign::task::{GoodbyeReason, RejectReason, Secret};
use farsign::volunteer::VolunteerError;
use tokio::sync::watch;

pub use attack::Attack;
pub use identity_file::{IdentityFileError, load_or_create};
pub use line::Line;
pub use remote::{
    Authorities, AuthoritiesError, DownloadError, EnvironmentError, HttpProxy, ListError,
    ProxyError, RemoteServer, download,
};
pub use server_url::{ParseServerUrlError, ServerUrl};
use training_data::TrainingData;

/// Options of a fleet of native volunteers.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// The server to train for.
    pub server: RemoteServer,
    /// Number of workers, at least 1.
    pub workers: usize,
    /// Attack that the workers simulate.
    pub attack: Attack,
    /// Honest updates of a `sleeper` before its attack.
    pub honest_updates: u64,
    /// Whether a worker that failed verification rejoins at once under a new identity.
    pub rejoin: bool,
    /// Percentage of its time for which a worker computes, 1 to 100. It rests after each update, in proportion to the time
    /// that the update took.
    pub effort_percent: u32,
    /// Further rest after each update. A rest for which the server's tasks leave too little time is taken without a session.
    pub delay: Duration,
    /// Bytes that all workers may send and receive in an hour; `None` without a budget.
    pub max_bytes_per_hour: Option<u64>,
    /// Secret that the identities of the workers derive from. `None` if each worker draws a new one.
    pub secret: Option<Secret>,
    /// Token that the server may require.
    pub token: Option<String>,
}

impl FleetOptions {
    /// Returns the options of honest workers at full speed and without a line budget, with direct connections to the server.
    pub fn new(server: ServerUrl, workers: usize) -> Self {
        Self {
            server: RemoteServer::direct(server),
            workers,
            attack: Attack::None,
            honest_updates: 0,
            rejoin: false,
            effort_percent: 100,
            delay: Duration::ZERO,
            max_bytes_per_hour: None,
            secret: None,
            token: None,
        }
    }

    /// Returns the rest after an update that was computed in this time.
    fn rest_after(&self, computing: Duration) -> Duration {
        let effort = self.effort();
        self.delay + computing * (100 - effort) / effort
    }

    fn effort(&self) -> u32 {
        self.effort_percent.clamp(1, 100)
    }

    /// Returns the cores on which the workers compute: their number times the fraction of a core that each uses.
    fn cores(&self) -> f64 {
        self.workers.max(1) as f64 * f64::from(self.effort()) / 100.0
    }
}

/// Counters that all workers of a fleet share.
#[derive(Debug, Default)]
pub struct FleetStats {
    /// Updates that the server accepted.
    pub accepted: AtomicU64,
    /// Updates that the server rejected.
    pub rejected: AtomicU64,
    /// Workers with an open session.
    pub connected: AtomicUsize,
    /// Shards of the training data that are downloaded.
    pub held_shards: AtomicUsize,
    /// Shards of the whole training data; 0 before their list is downloaded.
    pub shards: AtomicUsize,
    /// Bytes that the workers have sent and received.
    pub line: Line,
    /// Updates that the workers computed.
    pub computed: AtomicU64,
    /// Images of the computed updates.
    pub images: AtomicU64,
    /// Time in which the updates were computed, in microseconds.
    computing_us: AtomicU64,
    /// Time in which the workers rested, in microseconds.
    resting_us: AtomicU64,
    /// Malicious updates before each ejection for a failed verification.
    ejections: Mutex<Vec<u64>>,
}

impl FleetStats {
    /// Returns the number of updates that the server accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Returns the time in which the workers computed updates, as a sum over all workers.
    pub fn computing(&self) -> Duration {
        Duration::from_micros(self.computing_us.load(Ordering::Relaxed))
    }

    /// Returns the time in which the workers rested, as a sum over all workers.
    pub fn resting(&self) -> Duration {
        Duration::from_micros(self.resting_us.load(Ordering::Relaxed))
    }

    /// Returns the number of malicious updates before each ejection, oldest ejection first.
    pub fn malicious_updates_per_ejection(&self) -> Vec<u64> {
        self.ejections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn record_shards(&self, held: usize, shards: usize) {
        self.held_shards.store(held, Ordering::Relaxed);
        self.shards.store(shards, Ordering::Relaxed);
    }

    fn record_update(&self, images: u32, time: Duration) {
        self.computed.fetch_add(1, Ordering::Relaxed);
        self.images.fetch_add(images.into(), Ordering::Relaxed);
        self.computing_us
            .fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    fn record_rest(&self, time: Duration) {
        self.resting_us
            .fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    fn record_ejection(&self, malicious_updates: u64) {
        self.ejections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(malicious_updates);
    }
}

/// The reason why a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerExit {
    /// The model is finished.
    Finished,
    /// The caller stopped the fleet.
    Stopped,
    /// The server ended the session for good.
    Ejected(GoodbyeReason),
    /// The worker failed.
    Failed(VolunteerError),
    /// The server's new training data could not be loaded, with the reason.
    NoData(String),
}

/// An event of one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEvent {
    /// A session has begun.
    Joined,
    /// An update was rejected.
    Rejected(RejectReason),
    /// The worker has left for the rest of its delay.
    Resting(Duration),
    /// The worker has left until the line budget of the fleet allows another session.
    LineBudgetUsed(Duration),
    /// The remaining shards cannot be downloaded, with the reason. Training continues on those that are held.
    DataIncomplete(String),
    /// The worker is disconnected, or a download failed; the next attempt is after a delay.
    Waiting {
        /// Delay until the next attempt, in ms.
        delay_ms: u32,
        /// Cause of the disconnect or of the failure.
        cause: String,
    },
}

/// An error that keeps a fleet from running.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum FleetError {
    #[error(transparent)]
    Data(#[from] DownloadError),
    #[error("could not start a worker: {0}")]
    Thread(#[from] std::io::Error),
}

/// Runs workers until each has ended and returns their exits in order.
///
/// Blocks the calling thread. Setting `stop` to `true` ends all workers. `on_event` is called with the index of the
/// worker, on the worker's thread, and with 0 for downloads that no worker waits for.
///
/// # Errors
/// Returns an error if the server has no valid training data, or a thread cannot be started.
pub fn run_fleet(
    options: &FleetOptions,
    stats: &Arc<FleetStats>,
    stop: &watch::Receiver<bool>,
    on_event: impl Fn(usize, WorkerEvent) + Send + Sync,
) -> Result<Vec<WorkerExit>, FleetError> {
    let source = &TrainingData::new(options, Arc::clone(stats));
    let on_event = &on_event;
    let wait = |delay_ms, cause| on_event(0, WorkerEvent::Waiting { delay_ms, cause });
    let Some(data) = first_download(source, stop.clone(), wait)? else {
        return Ok(vec![WorkerExit::Stopped; options.workers]);
    };
    let (end, ended) = watch::channel(());
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("shards".to_owned())
            .spawn_scoped(scope, move || {
                grow_until(source, ended, |event| on_event(0, event));
            })?;
        let _end = end; // dropped when all workers have ended, or one could not be started
        let start = |index: usize| {
            let data = data.clone();
            let stats = Arc::clone(stats);
            let stop = stop.clone();
            let secret = options.secret.map_or_else(
                || Secret(rand::random()),
                |secret| identity_file::secret_of_worker(secret, index as u64),
            );
            let work = move || {
                worker::run(options, secret, data, source, &stats, stop, &|event| {
                    on_event(index, event);
                })
            };
            std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn_scoped(scope, work)
        };
        let workers: Result<Vec<_>, _> = (0..options.workers).map(start).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, _>| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        Ok(workers?.into_iter().map(join).collect())
    })
}

/// Downloads the shards after those that a first task needs, until the fleet has ended.
fn grow_until(
    source: &TrainingData,
    mut ended: watch::Receiver<()>,
    on_event: impl Fn(WorkerEvent),
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.expect("a single-threaded runtime starts");
    let wait = |delay_ms, cause| on_event(WorkerEvent::Waiting { delay_ms, cause });
    runtime.block_on(async {
        tokio::select! {
            grown = source.grow(wait) => {
                if let Err(error) = grown {
                    on_event(WorkerEvent::DataIncomplete(error.to_string()));
                }
            }
            _ = ended.changed() => {}
        }
    });
}

/// Downloads the training data. `None` if the fleet is stopped first.
fn first_download(
    source: &TrainingData,
    mut stop: watch::Receiver<bool>,
    wait: impl Fn(u32, String),
) -> Result<Option<ShardedDataset>, FleetError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let mut backoff = Backoff::default();
    runtime.block_on(async {
        tokio::select! {
            data = source.load(None, &mut backoff, wait) => Ok(Some(data?)),
            _ = stop.wait_for(|stop| *stop) => Ok(None),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_follows_effort_and_delay() {
        let ms = Duration::from_millis;
        let server = "http://127.0.0.1:1".parse().unwrap();
        let mut options = FleetOptions::new(server, 1);
        assert_eq!(options.rest_after(ms(40)), Duration::ZERO);
        options.effort_percent = 25;
        assert_eq!(options.rest_after(ms(40)), ms(120));
        options.delay = ms(7);
        assert_eq!(options.rest_after(ms(40)), ms(127));
        options.effort_percent = 0; // the least is 1 %
        assert_eq!(options.rest_after(ms(1)), ms(99 + 7));
    }
}
