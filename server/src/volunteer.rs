//! The native volunteer: the same algorithm as in the browser, on spare servers.
//!
//! Each worker is a thread with a connection of its own; they share the training data and nothing else. A worker
//! that loses its connection comes back after a jittered wait, unless it was told not to.

mod attack;
mod endpoint;
mod keepsake;
mod worker;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use farsign::dataset::Dataset;
use farsign::task::{GoodbyeReason, RejectReason, Secret};
use farsign::volunteer::VolunteerError;
use tokio::sync::watch;

pub use attack::Attack;
pub use endpoint::{Endpoint, EndpointError};
pub use keepsake::{KeepsakeError, read_or_make};

/// What a fleet of native volunteers is started with.
#[derive(Clone, Debug)]
pub struct VolunteerOptions {
    /// The server.
    pub endpoint: Endpoint,
    /// Workers, at least 1.
    pub workers: usize,
    /// How they misbehave.
    pub attack: Attack,
    /// Honest answers of a `sleeper` before its first lie.
    pub honest_answers: u64,
    /// Whether a worker that was removed for a lie comes back at once under a new name.
    pub rejoin: bool,
    /// Whether to ask for snapshots in half precision, and so for no steps.
    pub half_snapshots: bool,
    /// Wait before each answer is sent, to leave the machine to others.
    pub delay: Duration,
    /// What makes the workers the same volunteers as before; none: they are new.
    pub secret: Option<Secret>,
    /// What the server asks volunteers for, if it does.
    pub token: Option<String>,
}

impl VolunteerOptions {
    /// Honest workers at full speed.
    pub fn new(endpoint: Endpoint, workers: usize) -> Self {
        Self {
            endpoint,
            workers,
            attack: Attack::None,
            honest_answers: 0,
            rejoin: false,
            half_snapshots: false,
            delay: Duration::ZERO,
            secret: None,
            token: None,
        }
    }
}

/// What the workers of a fleet have done together.
#[derive(Debug, Default)]
pub struct Tally {
    /// Answers the server accepted.
    pub accepted: AtomicU64,
    /// Answers the server rejected.
    pub rejected: AtomicU64,
    /// Workers with a session now.
    pub connected: AtomicUsize,
    /// Lies before each removal for a wrong answer.
    removals: Mutex<Vec<u64>>,
}

impl Tally {
    /// Answers the server accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Lies the server accepted before each removal for a wrong answer, in order of time.
    pub fn lies_before_removals(&self) -> Vec<u64> {
        self.removals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn removed(&self, lies: u64) {
        self.removals.lock().unwrap_or_else(PoisonError::into_inner).push(lies);
    }
}

/// Why a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEnd {
    /// The model is finished.
    Finished,
    /// It was told to stop.
    Stopped,
    /// The server ended the session and does not want it back.
    Removed(GoodbyeReason),
    /// It cannot go on.
    Failed(VolunteerError),
}

/// What a worker reports as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The session has begun.
    Joined,
    /// An answer was rejected.
    Rejected(RejectReason),
    /// No connection; the next attempt comes after so many milliseconds.
    Waiting(u32, String),
}

/// Why a fleet could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The training data could not be loaded.
    #[error(transparent)]
    Data(#[from] EndpointError),
    /// The system gives no thread.
    #[error("could not start a worker: {0}")]
    Thread(#[from] std::io::Error),
}

/// Runs workers until each has ended; blocking. `stop` turning true ends them all, `notice` is told what happens to
/// which worker.
///
/// # Errors
/// When the data cannot be loaded or a thread cannot be started.
pub fn run(
    options: &VolunteerOptions,
    tally: &Arc<Tally>,
    stop: &watch::Receiver<bool>,
    notice: impl Fn(usize, Notice) + Send + Sync,
) -> Result<Vec<WorkerEnd>, FleetError> {
    let data: Arc<Dataset> = Arc::new(options.endpoint.training_data()?);
    let notice = &notice;
    std::thread::scope(|scope| {
        let start = |index: usize| {
            let (data, tally, stop) = (Arc::clone(&data), Arc::clone(tally), stop.clone());
            let secret = options
                .secret
                .map_or_else(|| Secret(rand::random()), |secret| keepsake::of_worker(secret, index as u64));
            let work = move || worker::run(options, secret, data, &tally, stop, &|what| notice(index, what));
            std::thread::Builder::new().name(format!("worker-{index}")).spawn_scoped(scope, work)
        };
        let workers: Result<Vec<_>, _> = (0..options.workers).map(start).collect();
        let joined = |worker: std::thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        Ok(workers?.into_iter().map(joined).collect())
    })
}
