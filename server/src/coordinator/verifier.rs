//! Verification of updates on a thread of its own.
//!
//! The training server picks updates in secret and queues the chain behind each. The coordinator submits these jobs to
//! the verifier and never waits for it; its results come back as commands.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use cpu_time::ThreadTime;
use farsign::dataset::ShardedDataset;
use farsign::learner::{VerificationJob, VerificationResult};
use farsign::momentum::Momentum;
use farsign::task::RunSettings;
use farsign::verification::Recomputer;
use farsign::version::Version;

use super::verification_cache::VerificationCache;
use crate::counters::VerificationCounters;

/// Jobs that wait for the verifier. Further jobs are skipped and counted.
const VERIFY_QUEUE_CAPACITY: usize = 1024;

/// Options of verification.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VerificationOptions {
    /// Probability, in `(0, 1]`, that an update of an established volunteer is verified.
    pub probability: f64,
    /// Fraction of one core that verification may use, 0.001 to 1.
    pub cpu_fraction: f64,
    /// Memory of updates that wait for verification, in bytes.
    pub memory_bytes: usize,
}

/// The coordinator's side of the verification thread.
#[derive(Debug)]
pub(super) struct Verifier {
    jobs: SyncSender<Arc<VerificationJob>>,
    cache: VerificationCache,
}

/// The reason why a job was not submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SubmitError {
    /// The queue is full.
    Full,
    /// The thread has stopped.
    Stopped,
}

/// The verification thread has stopped, so updates would no longer be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a running verification thread, found that it has stopped")]
pub struct VerifierStopped;

impl Verifier {
    /// Starts the thread, which sends its results to `report` until that returns false.
    ///
    /// # Errors
    /// Returns an error if the system provides no thread.
    pub fn start(
        options: VerificationOptions,
        run: RunSettings,
        data: ShardedDataset,
        counters: Arc<VerificationCounters>,
        report: impl Fn(VerificationResult) -> bool + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(VERIFY_QUEUE_CAPACITY);
        let cache = VerificationCache::new(options.memory_bytes, run.directions.parameters());
        let recomputer = Recomputer::new(run, data);
        let worker = VerifierThread {
            recomputer,
            cpu_fraction: options.cpu_fraction,
            counters,
        };
        thread::Builder::new()
            .name("verifier".into())
            .spawn(move || worker.run(&queue, report))?;
        Ok(Self { jobs, cache })
    }

    /// Submits a job without waiting.
    pub fn submit(&self, job: &Arc<VerificationJob>) -> Result<(), SubmitError> {
        let sent = self.jobs.try_send(Arc::clone(job));
        sent.map_err(|error| match error {
            TrySendError::Full(_) => SubmitError::Full,
            TrySendError::Disconnected(_) => SubmitError::Stopped,
        })
    }

    /// Returns whether these parameters are tracked, or can be within the memory limit.
    pub fn reserve(&mut self, version: &Arc<Version>) -> bool {
        self.cache.admit(version)
    }

    /// Returns whether the momentum of a result is within the memory limit, for as long as its chain refers to it.
    pub fn reserve_momentum(&mut self, momentum: &Arc<Momentum>) -> bool {
        self.cache.admit_momentum(momentum)
    }
}

struct VerifierThread {
    recomputer: Recomputer,
    cpu_fraction: f64,
    counters: Arc<VerificationCounters>,
}

impl VerifierThread {
    /// Verifies jobs until the coordinator is gone.
    fn run(
        mut self,
        queue: &Receiver<Arc<VerificationJob>>,
        report: impl Fn(VerificationResult) -> bool,
    ) {
        while let Ok(job) = queue.recv() {
            let start = ThreadTime::now(); // CPU time, so that waiting for a core does not count
            let result = self.verify(&job);
            drop(job);
            let busy = start.elapsed();
            self.counters
                .cpu_us
                .fetch_add(busy.as_micros() as u64, Ordering::Relaxed);
            if !report(result) {
                return;
            }
            thread::sleep(busy.mul_f64(1.0 / self.cpu_fraction - 1.0));
        }
    }

    fn verify(&mut self, job: &VerificationJob) -> VerificationResult {
        let Some((mismatch, momentum)) = self.recomputer.verify(&job.segment) else {
            return VerificationResult::skipped(job);
        };
        let recomputed = mismatch.map_or(job.segment.updates.len(), |position| position + 1);
        self.counters
            .recomputed
            .fetch_add(recomputed as u64, Ordering::Relaxed);
        let updates = &job.segment.updates[..recomputed];
        let images = updates.iter().map(|update| u64::from(update.task.images));
        self.counters
            .images
            .fetch_add(images.sum(), Ordering::Relaxed);
        VerificationResult::new(job, mismatch, momentum)
    }
}
