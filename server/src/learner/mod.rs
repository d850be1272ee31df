//! The learner: takes the entries of the log in their order, and publishes what follows.
//!
//! ```text
//!   log --entries--> Learner --events--> notices ----+
//!                      |  \--jobs------> verifiers   +--> bulletin --> board
//!                      +--model, when due--> version +
//!                      +--state, when due--> checkpoint of the log
//! ```
//!
//! What it computes follows from the entries alone. Clocks decide only when it publishes a version, and what the operator
//! sees.

mod fold;
mod pacing;
mod publication;
mod published_versions;
mod report;
mod telemetry;
mod verification_cache;

use std::sync::Arc;
use std::time::Instant;

use farsign::assignment::AssignmentOptions;
use farsign::learner::{Learner, VersionPublisher};
use farsign::task::RunSettings;
use farsign::version::Version;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};

use crate::counters::Counters;
use crate::run::board::{Board, BoardError, Bulletin, PublishedVersion};
use crate::run::embedded::ReportRequest;
use crate::run::jobs::{Jobs, OfferError};
use crate::run::log::{Log, LogError, LogReader};
use crate::shutdown::cancelled;
use crate::verifier::VerificationOptions;
use pacing::LearnerPace;
use publication::PublicationSchedule;
use published_versions::PublishedVersions;
use telemetry::Telemetry;
use verification_cache::VerificationCache;

/// Options of a learner, besides those of the fold.
#[derive(Clone, Debug)]
pub struct LearnerTaskOptions {
    /// Settings of the run.
    pub run: RunSettings,
    /// Assignment of tasks.
    pub assignment: AssignmentOptions,
    /// Verification of updates. `None` if updates are not verified.
    pub verification: Option<VerificationOptions>,
    /// Accepted updates between checkpoints, at least 1.
    pub checkpoint_every: u64,
    /// Number of the last message that the learner has taken.
    pub message: u64,
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

/// A learner with its log.
#[derive(Debug)]
pub struct LearnerTask {
    learner: Learner,
    publisher: VersionPublisher,
    links: LearnerLinks,
    /// Appends of verdicts on updates that are not verified.
    appends: FuturesUnordered<BoxFuture<'static, Result<Vec<u64>, LogError>>>,
    versions: PublishedVersions,
    cache: VerificationCache,
    telemetry: Telemetry,
    schedule: PublicationSchedule,
    pace: LearnerPace,
    counters: Arc<Counters>,
    /// Whether the model has changed since the newest version.
    has_changed: bool,
    /// Number of the last message that was taken.
    message: u64,
    checkpoint_every: u64,
    /// Accepted updates at which the next checkpoint is due.
    checkpoint_due_at: u64,
}

impl LearnerTask {
    /// Creates the task of a learner that has taken everything up to a message, and returns it with its first bulletin.
    pub fn new(
        learner: Learner,
        options: &LearnerTaskOptions,
        links: LearnerLinks,
        counters: Arc<Counters>,
    ) -> (Self, Bulletin) {
        let now = Instant::now();
        let accepted = learner.optimizer().accepted();
        let mut pace = LearnerPace::default();
        let mut cache_bytes = 0;
        if let Some(verification) = options.verification {
            let counters = Arc::clone(&counters.verification);
            let images = options.run.batch;
            let fraction = verification.cpu_fraction;
            pace = pace.with_verification(fraction, images, counters, accepted, now);
            cache_bytes = verification.version_bytes();
        }
        let run = &options.run;
        let mut task = Self {
            publisher: VersionPublisher::new(learner.optimizer()),
            links,
            appends: FuturesUnordered::new(),
            versions: PublishedVersions::default(),
            cache: VerificationCache::new(cache_bytes, run.directions.parameters()),
            telemetry: Telemetry::new(run.directions, run.order, options.assignment.rule, now),
            schedule: PublicationSchedule::new(now),
            pace,
            counters,
            has_changed: false,
            message: options.message,
            checkpoint_every: options.checkpoint_every,
            checkpoint_due_at: accepted + options.checkpoint_every,
            learner,
        };
        let version = task.publisher.current(&task.learner);
        let version = task.publish(version);
        let bulletin = task.bulletin(Some(version), Vec::new());
        (task, bulletin)
    }

    /// Takes entries until it is to stop.
    ///
    /// # Errors
    /// Returns an error if the log or the board fails, or updates would no longer be verified.
    pub async fn run(mut self) -> Result<(), LearnerError> {
        let mut stop = self.links.stop.clone();
        let stopped = cancelled(&mut stop);
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                biased; // a report shows what has been taken
                entries = self.links.entries.next() => match entries? {
                    Some(entries) => match self.take(entries).await {
                        Err(LearnerError::Board(_)) if *self.links.stop.borrow() => return Ok(()),
                        taken => taken?,
                    },
                    None => return self.end().await,
                },
                Some(appended) = self.appends.next() => {
                    appended?;
                }
                Some(request) = self.links.reports.recv() => self.report(request),
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

    /// Returns a version with the exact parameters that it was rounded from, and remembers it.
    fn publish(&mut self, version: Arc<Version>) -> PublishedVersion {
        self.versions.insert(&version);
        PublishedVersion {
            version,
            exact: Some(self.learner.optimizer().x().into()),
        }
    }
}
