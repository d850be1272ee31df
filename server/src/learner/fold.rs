//! Entries of the log, and what follows from them.

use std::sync::Arc;
use std::time::Instant;

use cpu_time::ThreadTime;
use farsign::attachment::Attached;
use farsign::learner::{
    AcceptedUpdate, LearnerEvent, Record, RecordEffect, VerdictOutcome, VerificationOutcome,
};
use farsign::task::Task;
use farsign::version::Version;

use super::{LearnerError, LearnerTask};
use crate::run::board::{Bulletin, Notice, Progress, PublishedVersion};
use crate::run::jobs::OfferError;
use crate::run::log::Entry;

impl LearnerTask {
    /// Takes entries, publishes what follows, and saves a checkpoint if one is due.
    pub(super) async fn take(&mut self, entries: Vec<Entry>) -> Result<(), LearnerError> {
        let bulletin = self.fold(entries)?;
        self.links.board.publish(bulletin).await?;
        let accepted = self.learner.optimizer().accepted();
        if accepted >= self.checkpoint_due_at {
            self.checkpoint_due_at = accepted + self.checkpoint_every;
            let state = self.learner.state();
            self.links.log.checkpoint(self.message, state).await?;
        }
        Ok(())
    }

    fn fold(&mut self, entries: Vec<Entry>) -> Result<Bulletin, OfferError> {
        let start = ThreadTime::now(); // CPU time, so that waiting for a core does not count
        let mut notices = Vec::new();
        let mut updates = 0;
        for entry in entries {
            updates += usize::from(self.take_entry(&entry));
            self.handle_events(&mut notices);
        }
        self.offer_jobs()?;
        let version = self.next_version();
        self.pace.record_batch(updates, start.elapsed());
        let accepted = self.learner.optimizer().accepted();
        let learner = &self.learner;
        self.pace
            .measure_verification(Instant::now(), accepted, || learner.recomputed_fraction());
        Ok(self.bulletin(version, notices))
    }

    /// Takes an entry. Returns whether it is an accepted update.
    fn take_entry(&mut self, entry: &Entry) -> bool {
        let Entry { message, record } = entry;
        let attached = match record {
            Record::Update { task, .. } => self.attached(task),
            _ => Attached::default(),
        };
        let taken = self.learner.take_message(*message, record, attached);
        self.message = *message;
        match taken {
            RecordEffect::Accepted(update) => self.on_accepted(update),
            RecordEffect::Verdict(outcome) => self.count_verdict(outcome),
            RecordEffect::Other => {}
        }
        matches!(taken, RecordEffect::Accepted(_))
    }

    /// Returns the version of a task, if its update can be verified.
    fn attached(&mut self, task: &Task) -> Attached<Arc<Version>> {
        if self.links.jobs.is_none() {
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

    /// Offers queued verifications to the verifiers. A verdict in the log says which of them are skipped, because they lack
    /// something or no verifier has a place.
    fn offer_jobs(&mut self) -> Result<(), OfferError> {
        let mut skipped = Vec::new();
        while let Some(job) = self.learner.poll_verification() {
            let Some(jobs) = self
                .links
                .jobs
                .as_mut()
                .filter(|_| job.segment.is_verifiable())
            else {
                skipped.push(Record::Verdict(job.verdict(VerdictOutcome::Skipped)));
                continue;
            };
            match jobs.offer(&job) {
                Ok(()) => {}
                Err(OfferError::Full) => {
                    skipped.push(Record::Verdict(job.verdict(VerdictOutcome::Skipped)));
                }
                Err(stopped @ OfferError::Stopped) => return Err(stopped),
            }
        }
        if !skipped.is_empty() {
            self.appends.push(self.links.log.append(skipped));
        }
        Ok(())
    }

    /// Returns the next version, if one is due.
    fn next_version(&mut self) -> Option<PublishedVersion> {
        let optimizer = self.learner.optimizer();
        let (accepted, active) = (optimizer.accepted(), optimizer.active());
        let is_finished = optimizer.is_finished();
        let now = Instant::now();
        if !self.has_changed || !(self.schedule.is_due(accepted, now) || is_finished) {
            return None;
        }
        self.has_changed = false;
        let start = ThreadTime::now();
        let version = self.publisher.publish(&self.learner);
        let version = self.publish(version);
        self.schedule
            .on_published(accepted, active, now, start.elapsed());
        if is_finished {
            tracing::info!(event = "finished", accepted, "training finished");
        }
        Some(version)
    }

    /// Returns the bulletin of what has been taken so far.
    pub(super) fn bulletin(
        &self,
        version: Option<PublishedVersion>,
        notices: Vec<Notice>,
    ) -> Bulletin {
        let optimizer = self.learner.optimizer();
        Bulletin {
            message: self.message,
            progress: Progress {
                accepted: optimizer.accepted(),
                active: optimizer.active(),
                fraction: optimizer.progress(),
                tolerance: self.telemetry.tolerance(),
                capacity: self.pace.capacity(),
            },
            version,
            notices,
        }
    }
}
