//! A learner with what its surroundings need: published versions, statistics and its pace.

use std::sync::Arc;
use std::time::Instant;

use cpu_time::ThreadTime;
use farsign::attachment::Attached;
use farsign::learner::{
    AcceptedUpdate, Learner, LearnerEvent, Record, RecordEffect, VerdictOutcome, VerificationJob,
    VerificationOutcome, VersionPublisher,
};
use farsign::task::Task;
use farsign::version::Version;

use super::LearnerOptions;
use super::pacing::LearnerPace;
use super::publication::PublicationSchedule;
use super::published_versions::PublishedVersions;
use super::telemetry::Telemetry;
use super::verification_cache::VerificationCache;
use crate::counters::Counters;
use crate::run::board::{Bulletin, Notice, Progress, PublishedVersion};
use crate::run::embedded::ReportRequest;
use crate::run::log::Entry;

/// A learner with its published versions, statistics and pace.
#[derive(Debug)]
pub struct LiveLearner {
    learner: Learner,
    publisher: VersionPublisher,
    is_verified: bool,
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
}

impl LiveLearner {
    /// Creates a live learner from one that has taken everything up to a message.
    pub fn new(
        learner: Learner,
        message: u64,
        options: &LearnerOptions,
        counters: Arc<Counters>,
    ) -> Self {
        let now = Instant::now();
        let LearnerOptions {
            run,
            assignment,
            verification,
            kept_versions,
            ..
        } = options;
        let mut pace = LearnerPace::default();
        let mut cache_bytes = 0;
        if let Some(verification) = verification {
            let accepted = learner.optimizer().accepted();
            let counters = Arc::clone(&counters.verification);
            let fraction = verification.cpu_fraction;
            pace = pace.with_verification(fraction, run.batch, counters, accepted, now);
            cache_bytes = verification.version_bytes();
        }
        Self {
            publisher: VersionPublisher::new(learner.optimizer()),
            is_verified: verification.is_some(),
            versions: PublishedVersions::new(*kept_versions),
            cache: VerificationCache::new(cache_bytes, run.directions.parameters()),
            telemetry: Telemetry::new(run.directions, run.order, assignment.rule, now),
            schedule: PublicationSchedule::new(now),
            pace,
            counters,
            has_changed: false,
            message,
            learner,
        }
    }

    /// Returns the learner.
    pub fn learner(&self) -> &Learner {
        &self.learner
    }

    /// Returns the number of the last message that was taken.
    pub fn message(&self) -> u64 {
        self.message
    }

    /// Takes entries, and adds what happened to volunteers to `notices`.
    pub fn take(&mut self, entries: &[Entry], notices: &mut Vec<Notice>) {
        let start = ThreadTime::now(); // CPU time, so that waiting for a core does not count
        let mut updates = 0;
        for entry in entries {
            updates += usize::from(self.take_entry(entry));
            self.handle_events(notices);
            if let Record::GatewayLost(gateway) = entry.record {
                notices.push(Notice::GatewayLost(gateway));
            }
        }
        self.pace.record_batch(updates, start.elapsed());
        let accepted = self.learner.optimizer().accepted();
        let learner = &self.learner;
        self.pace
            .measure_verification(Instant::now(), accepted, || learner.recomputed_fraction());
    }

    /// Takes an entry. Returns whether it is an accepted update.
    fn take_entry(&mut self, entry: &Entry) -> bool {
        let Entry { message, record } = entry;
        let attached = match record {
            Record::Update { task, .. } => self.attached(task),
            _ => Attached::default(),
        };
        let effect = self.learner.take_message(*message, record, attached);
        self.message = *message;
        match effect {
            RecordEffect::Accepted(update) => self.on_accepted(update),
            RecordEffect::Verdict(outcome) => self.count_verdict(outcome),
            RecordEffect::Other => {}
        }
        matches!(effect, RecordEffect::Accepted(_))
    }

    /// Returns the version of a task, if its update can be verified.
    fn attached(&mut self, task: &Task) -> Attached<Arc<Version>> {
        if !self.is_verified {
            return Attached::default();
        }
        let version = self.versions.get(task.version);
        Attached(version.filter(|version| self.cache.admit(version)))
    }

    fn on_accepted(&mut self, update: AcceptedUpdate) {
        self.has_changed = true;
        let base = self.versions.accepted(update.task.version);
        let signs = self.learner.last_signs();
        self.telemetry
            .on_update(update, base.unwrap_or_default(), signs);
    }

    fn count_verdict(&self, outcome: VerificationOutcome) {
        match outcome {
            VerificationOutcome::Passed => self.counters.verification.record_outcome(true),
            VerificationOutcome::Failed => self.counters.verification.record_outcome(false),
            // A skipped one is counted by its event.
            VerificationOutcome::Skipped | VerificationOutcome::Ignored => {}
        }
    }

    fn handle_events(&mut self, notices: &mut Vec<Notice>) {
        while let Some(event) = self.learner.poll_event() {
            match event {
                LearnerEvent::RolledBack { .. } => self.has_changed = true,
                LearnerEvent::Joined(volunteer) => {
                    self.schedule.expedite();
                    self.telemetry.join(volunteer, Instant::now());
                }
                LearnerEvent::Left(volunteer) => {
                    self.schedule.expedite(); // it may have been the last volunteer
                    self.telemetry.leave(volunteer);
                }
                LearnerEvent::Banned(identity) => notices.push(Notice::Banned(identity)),
                LearnerEvent::VerificationFailed { volunteer, task } => {
                    notices.push(Notice::VerificationFailed { volunteer, task });
                }
                LearnerEvent::Ejected {
                    volunteer,
                    reason,
                    record,
                } => notices.push(Notice::Ejected {
                    volunteer,
                    reason,
                    record,
                }),
                LearnerEvent::VerificationSkipped(_) => self.counters.verification.record_skip(),
            }
        }
    }

    /// Returns the oldest verification that was not polled. `None` if there is none.
    pub fn poll_job(&mut self) -> Option<Arc<VerificationJob>> {
        self.learner.poll_verification()
    }

    /// Returns the version of the current model, on the current grid, for a learner that begins to publish.
    pub fn current_version(&mut self) -> PublishedVersion {
        self.has_changed = false;
        let version = self.publisher.current(&self.learner);
        self.published(version)
    }

    /// Returns the next version, if one is due.
    pub fn next_version(&mut self) -> Option<PublishedVersion> {
        let optimizer = self.learner.optimizer();
        let accepted = optimizer.accepted();
        let active = optimizer.active();
        let is_finished = optimizer.is_finished();
        let now = Instant::now();
        if !self.has_changed || !(self.schedule.is_due(accepted, now) || is_finished) {
            return None;
        }
        self.has_changed = false;
        let start = ThreadTime::now();
        let version = self.publisher.publish(&self.learner);
        let version = self.published(version);
        self.schedule
            .on_published(accepted, active, now, start.elapsed());
        if is_finished {
            tracing::info!(event = "finished", accepted, "training finished");
        }
        Some(version)
    }

    /// Remembers a version, and returns it with the exact parameters that it was rounded from.
    fn published(&mut self, version: Arc<Version>) -> PublishedVersion {
        self.versions.insert(&version);
        PublishedVersion {
            version,
            exact: Some(self.learner.optimizer().x().into()),
        }
    }

    /// Remembers a version that another learner of the run has published.
    pub fn remember(&mut self, version: &Arc<Version>) {
        self.versions.insert(version);
    }

    /// Returns the bulletin of what has been taken so far.
    pub fn bulletin(&self, version: Option<PublishedVersion>, notices: Vec<Notice>) -> Bulletin {
        let optimizer = self.learner.optimizer();
        Bulletin {
            message: self.message,
            progress: Progress {
                accepted: optimizer.accepted(),
                active: optimizer.active(),
                fraction: optimizer.progress(),
                tolerance: self.telemetry.tolerance(),
                capacity: self.pace.capacity(),
                verdicts: self.counters.verification.verdicts(),
            },
            version,
            notices,
        }
    }

    /// Replies to a request for a report. Its sender may have gone.
    pub fn report(&self, request: ReportRequest) {
        match request {
            ReportRequest::Volunteers(reply) => {
                let record = |volunteer| self.learner.record(volunteer).unwrap_or_default();
                _ = reply.send(self.telemetry.reports(Instant::now(), record));
            }
            ReportRequest::Gateways(reply) => _ = reply.send(self.learner.gateways()),
            ReportRequest::Running(reply) => {
                let skipped = |job: &Arc<VerificationJob>| job.verdict(VerdictOutcome::Skipped);
                _ = reply.send(self.learner.running().map(skipped).collect());
            }
            ReportRequest::AcceptedCounts(identities, reply) => {
                let count = |identity| (identity, self.learner.accepted(identity));
                _ = reply.send(identities.into_iter().map(count).collect());
            }
        }
    }
}
