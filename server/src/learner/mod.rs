//! The learner: takes the entries of the log in their order, and publishes what follows.
//!
//! ```text
//!   log --entries--> LiveLearner --events--> notices ----+
//!                      |     \------jobs---> verifiers   +--> bulletin --> board
//!                      +------model, when due-> version -+
//!                      +------state, when due-> checkpoint of the log
//! ```
//!
//! What it computes follows from the entries alone. Clocks decide only when it publishes a version, and what the operator
//! sees.

mod live;
mod pacing;
mod publication;
mod published_versions;
mod telemetry;
mod verification_cache;

pub use live::LiveLearner;

use std::sync::Arc;

use farsign::assignment::AssignmentOptions;
use farsign::learner::{Record, VerdictOutcome, VerificationJob};
use farsign::task::RunSettings;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};

use crate::run::board::{Board, BoardError, Notice};
use crate::run::embedded::ReportRequest;
use crate::run::jobs::{Jobs, OfferError};
use crate::run::log::{Entry, Log, LogError, LogReader};
use crate::shutdown::cancelled;
use crate::verifier::VerificationOptions;

/// Options of a learner, besides those of its fold.
#[derive(Clone, Debug)]
pub struct LearnerOptions {
    /// Settings of the run.
    pub run: RunSettings,
    /// Assignment of tasks.
    pub assignment: AssignmentOptions,
    /// Verification of updates. `None` if updates are not verified.
    pub verification: Option<VerificationOptions>,
    /// Published versions that it keeps for verification, besides those that others in this process use.
    pub kept_versions: usize,
}

/// What a learner is connected to.
#[derive(Debug)]
pub struct LearnerLinks {
    /// The log, for checkpoints and for verdicts on what is not verified.
    pub log: Arc<dyn Log>,
    /// The entries of the log after those that the learner has taken.
    pub entries: Box<dyn LogReader>,
    /// The board.
    pub board: Box<dyn Board>,
    /// The verifiers. `None` if updates are not verified.
    pub jobs: Option<Box<dyn Jobs>>,
    /// Requests for reports.
    pub reports: mpsc::Receiver<ReportRequest>,
    /// Becomes true when the learner is to end after the entries that it can read.
    pub stop: watch::Receiver<bool>,
}

/// An error that ends a learner.
#[derive(Debug, thiserror::Error)]
pub enum LearnerError {
    /// The log cannot be read or written.
    #[error("the run cannot be saved: {0}")]
    Log(#[from] LogError),
    /// Nothing more can be published.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// Updates would no longer be verified.
    #[error(transparent)]
    Jobs(#[from] OfferError),
}

/// The task of a learner that publishes.
#[derive(Debug)]
pub struct LearnerTask {
    live: LiveLearner,
    links: LearnerLinks,
    /// Appends of verdicts on updates that are not verified.
    appends: FuturesUnordered<BoxFuture<'static, Result<Vec<u64>, LogError>>>,
    checkpoint_every: u64,
    /// Accepted updates at which the next checkpoint is due.
    checkpoint_due_at: u64,
}

impl LearnerTask {
    /// Creates the task of a learner whose current version is published. It saves a checkpoint every `checkpoint_every`
    /// accepted updates.
    pub fn new(live: LiveLearner, checkpoint_every: u64, links: LearnerLinks) -> Self {
        let accepted = live.learner().optimizer().accepted();
        Self {
            live,
            links,
            appends: FuturesUnordered::new(),
            checkpoint_every,
            checkpoint_due_at: accepted.saturating_add(checkpoint_every),
        }
    }

    /// Takes entries until it is to stop.
    ///
    /// # Errors
    /// Returns an error if the log or the board fails, or updates would no longer be verified.
    pub async fn run(mut self) -> Result<(), LearnerError> {
        self.offer_running()?;
        let mut stop = self.links.stop.clone();
        let stopped = cancelled(&mut stop);
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                biased; // a report shows what has been taken
                entries = self.links.entries.next() => match entries? {
                    Some(entries) => match self.take(&entries).await {
                        Err(LearnerError::Board(_)) if *self.links.stop.borrow() => return Ok(()),
                        taken => taken?,
                    },
                    None => return self.end().await,
                },
                Some(appended) = self.appends.next() => {
                    appended?;
                }
                Some(request) = self.links.reports.recv() => self.live.report(request),
                () = &mut stopped => return Ok(()),
            }
        }
    }

    /// Waits for the appends, whose error may be the reason why the log was closed.
    async fn end(mut self) -> Result<(), LearnerError> {
        while let Some(appended) = self.appends.next().await {
            appended?;
        }
        Ok(())
    }

    /// Takes entries, publishes what follows, and saves a checkpoint if one is due.
    async fn take(&mut self, entries: &[Entry]) -> Result<(), LearnerError> {
        let mut notices: Vec<Notice> = Vec::new();
        self.live.take(entries, &mut notices);
        self.offer_jobs()?;
        let version = self.live.next_version();
        let bulletin = self.live.bulletin(version, notices);
        self.links.board.publish(bulletin).await?;
        let accepted = self.live.learner().optimizer().accepted();
        if accepted >= self.checkpoint_due_at {
            self.checkpoint_due_at = accepted + self.checkpoint_every;
            let state = self.live.learner().state();
            let message = self.live.message();
            self.links.log.checkpoint(message, state).await?;
        }
        Ok(())
    }

    /// Offers the verifications again that another learner of the run may have offered.
    fn offer_running(&mut self) -> Result<(), OfferError> {
        let running: Vec<_> = self.live.learner().running().cloned().collect();
        self.offer_all(running)
    }

    /// Offers queued verifications to the verifiers. A verdict in the log says which of them are skipped, because they lack
    /// something or no verifier has a place.
    fn offer_jobs(&mut self) -> Result<(), OfferError> {
        let jobs: Vec<_> = std::iter::from_fn(|| self.live.poll_job()).collect();
        self.offer_all(jobs)
    }

    fn offer_all(&mut self, jobs: Vec<Arc<VerificationJob>>) -> Result<(), OfferError> {
        let mut skipped = Vec::new();
        for job in jobs {
            if !self.offer(&job)? {
                skipped.push(Record::Verdict(job.verdict(VerdictOutcome::Skipped)));
            }
        }
        if !skipped.is_empty() {
            self.appends.push(self.links.log.append(skipped));
        }
        Ok(())
    }

    /// Offers a verification. Returns whether a verifier takes it.
    fn offer(&mut self, job: &Arc<VerificationJob>) -> Result<bool, OfferError> {
        let Some(jobs) = &mut self.links.jobs else {
            return Ok(false);
        };
        if !job.segment.is_verifiable() {
            return Ok(false);
        }
        match jobs.offer(job) {
            Ok(()) => Ok(true),
            Err(OfferError::Full) => Ok(false),
            Err(stopped @ OfferError::Stopped) => Err(stopped),
        }
    }
}
