//! The thread of a verifier.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use cpu_time::ThreadTime;
use farsign::dataset::ShardedDataset;
use farsign::learner::{Verdict, VerdictOutcome, VerificationJob};
use farsign::task::RunSettings;
use farsign::verification::Recomputer;

use super::VerificationOptions;
use crate::counters::VerificationCounters;
use crate::run::jobs::{Jobs, OfferError};

/// Jobs that wait for the thread. Further jobs are skipped and counted.
const VERIFY_QUEUE_CAPACITY: usize = 1024;

/// A handle of the thread, which ends when this is dropped.
#[derive(Debug)]
pub struct VerifierThread {
    jobs: SyncSender<Arc<VerificationJob>>,
}

impl VerifierThread {
    /// Starts the thread, which passes its verdicts to `report` until that returns false.
    ///
    /// # Errors
    /// Returns an error if the system provides no thread.
    pub fn start(
        options: VerificationOptions,
        run: RunSettings,
        data: ShardedDataset,
        counters: Arc<VerificationCounters>,
        report: impl Fn(Verdict) -> bool + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(VERIFY_QUEUE_CAPACITY);
        let momenta = options.momenta(run.directions.parameters());
        let worker = Worker {
            recomputer: Recomputer::new(run, data, momenta),
            cpu_fraction: options.cpu_fraction,
            counters,
        };
        thread::Builder::new()
            .name("verifier".into())
            .spawn(move || worker.run(&queue, report))?;
        Ok(Self { jobs })
    }
}

impl Jobs for VerifierThread {
    fn offer(&mut self, job: &Arc<VerificationJob>) -> Result<(), OfferError> {
        let sent = self.jobs.try_send(Arc::clone(job));
        sent.map_err(|error| match error {
            TrySendError::Full(_) => OfferError::Full,
            TrySendError::Disconnected(_) => OfferError::Stopped,
        })
    }
}

/// The state of the thread.
struct Worker {
    recomputer: Recomputer,
    cpu_fraction: f64,
    counters: Arc<VerificationCounters>,
}

impl Worker {
    /// Verifies jobs until the learner is gone.
    fn run(mut self, queue: &Receiver<Arc<VerificationJob>>, report: impl Fn(Verdict) -> bool) {
        while let Ok(job) = queue.recv() {
            let start = ThreadTime::now(); // CPU time, so that waiting for a core does not count
            let verdict = self.verify(&job);
            drop(job);
            let busy = start.elapsed();
            self.counters
                .cpu_us
                .fetch_add(busy.as_micros() as u64, Ordering::Relaxed);
            if !report(verdict) {
                return;
            }
            thread::sleep(busy.mul_f64(1.0 / self.cpu_fraction - 1.0));
        }
    }

    fn verify(&mut self, job: &VerificationJob) -> Verdict {
        let Some(found) = self.recomputer.verify(&job.segment) else {
            return job.verdict(VerdictOutcome::Skipped);
        };
        let VerificationCounters {
            recomputed, images, ..
        } = &*self.counters;
        recomputed.fetch_add(found.updates, Ordering::Relaxed);
        images.fetch_add(found.images, Ordering::Relaxed);
        job.verified(found.mismatch)
    }
}
