//! Inputs of the training server, and what follows from its events.

use std::sync::Arc;

use farsign::attachment::Attached;
use farsign::learner::{
    AcceptedUpdate, LearnerEvent, TrustRecord, Verdict, VerdictOutcome, VerificationResult,
};
use farsign::task::{GoodbyeReason, Task, TaskId, TaskSize, VolunteerId};
use farsign::training_server::UpdateOutcome;
use tokio::sync::oneshot;

use super::Coordinator;
use super::handle::{JoinReply, TaskAssignment, TaskRequest};
use super::registry::{EjectTarget, JoinRequest, VolunteerEntry};
use super::verifier::SubmitError;
use crate::admission::bans::Ban;

impl Coordinator {
    pub(super) fn handle_update(
        &mut self,
        volunteer: VolunteerId,
        task: TaskId,
        bits: &[u8],
    ) -> UpdateOutcome {
        let outcome = self.training.handle_update(volunteer, task, bits, 1.0);
        let entry = self.registry.get_mut(volunteer).filter(|_| outcome.closed);
        let base = entry.and_then(|entry| entry.on_task_closed(task));
        match outcome.verdict {
            Ok(accepted) => self.on_accepted(volunteer, accepted, base.unwrap_or_default()),
            Err(reason) => {
                self.counters.update_rejected(reason);
                let reason = reason.name();
                tracing::debug!(
                    event = "rejected",
                    volunteer = volunteer.0,
                    task = task.0,
                    reason,
                    "update rejected"
                );
            }
        }
        self.handle_events();
        self.submit_verifications();
        outcome
    }

    /// Records an accepted update to a task whose snapshot has `base` accepted updates.
    fn on_accepted(&mut self, volunteer: VolunteerId, accepted: AcceptedUpdate, base: u64) {
        self.has_changed = true;
        let signs = self.training.learner().last_signs();
        if let Some(entry) = self.registry.get_mut(volunteer) {
            self.telemetry
                .on_update(volunteer, &mut entry.stats, accepted, base, signs);
        }
    }

    /// Adds a volunteer and issues its first task. `None` if the run is finished.
    pub(super) fn join(&mut self, request: JoinRequest) -> Option<JoinReply> {
        if self.training.optimizer().is_finished() {
            return None;
        }
        let volunteer = self.training.join(request.identity);
        let first = TaskRequest {
            shards: request.shards,
            ..TaskRequest::default()
        };
        self.handle_events();
        let (ejected, ejection) = oneshot::channel();
        let record = self
            .training
            .learner()
            .record(volunteer)
            .unwrap_or_default();
        let entry = VolunteerEntry::new(request, self.registry.default_effort, ejected);
        entry.log_joined(volunteer, record);
        self.registry.insert(volunteer, entry);
        let first = self.next_tasks(volunteer, &first).pop();
        first.map(|first| JoinReply {
            volunteer,
            first,
            ejection,
        })
    }

    /// Issues tasks of a volunteer until it has as many open ones as its pace asks for, and it requests at most. A request
    /// that replaces the open tasks closes them without their updates, and gets one that resets the momentum.
    ///
    /// There are none if it is not connected or the run is finished.
    pub(super) fn next_tasks(
        &mut self,
        volunteer: VolunteerId,
        request: &TaskRequest,
    ) -> Vec<TaskAssignment> {
        let optimizer = self.training.optimizer();
        if optimizer.is_finished() {
            return Vec::new();
        }
        let pace = &request.pace;
        let images = pace.task_images(&self.pace.limits(optimizer.active(), request.shards));
        let size = TaskSize {
            images,
            shards: request.shards,
        };
        let missing = if request.replaces_open {
            1
        } else {
            let wanted = pace.open_tasks(images).min(request.max_open);
            wanted.saturating_sub(self.training.open_tasks(volunteer))
        };
        let issue = |_| {
            let issued = if request.replaces_open {
                self.training.next_task(volunteer, size)
            } else {
                self.training.further_task(volunteer, size)
            }?;
            Some(self.assign(volunteer, issued))
        };
        let tasks = (0..missing).map_while(issue).collect();
        self.handle_events(); // a volunteer that has had all its numbers is ejected
        tasks
    }

    /// Records a task, and reserves memory for its verification.
    fn assign(&mut self, volunteer: VolunteerId, task: Task) -> TaskAssignment {
        if let Some(entry) = self.registry.get_mut(volunteer) {
            entry.on_task_issued(task.id, self.latest.accepted);
        }
        if let Some(verifier) = &mut self.verifier
            && !verifier.reserve(self.training.version())
        {
            self.training.drop_version(task.id);
        }
        TaskAssignment {
            task,
            snapshot: Arc::clone(&self.latest),
        }
    }

    pub(super) fn handle_leave(&mut self, volunteer: VolunteerId) {
        self.publication.expedite(); // it may have been the last volunteer
        self.training.leave(volunteer);
        self.handle_events();
        self.registry
            .remove(volunteer, self.training.learner().is_departed(volunteer));
    }

    pub(super) fn handle_verification(&mut self, mut result: VerificationResult) {
        if let (Some(verifier), Some(momentum)) = (&mut self.verifier, result.momentum.get())
            && !verifier.reserve_momentum(momentum)
        {
            result.momentum = Attached::default();
        }
        self.training.handle_verification(&result);
        let Verdict {
            volunteer, outcome, ..
        } = result.verdict;
        match outcome {
            VerdictOutcome::Passed => self.counters.verification.record_outcome(true),
            VerdictOutcome::Failed(_) => self.counters.verification.record_outcome(false),
            VerdictOutcome::Skipped => {} // counted by its event
        }
        self.handle_events();
        self.registry.forget_departed(volunteer);
        self.submit_verifications();
    }

    /// Ejects volunteers and returns how many.
    pub(super) fn eject(&mut self, target: EjectTarget, reason: GoodbyeReason) -> usize {
        let volunteers = match target {
            EjectTarget::Volunteer(volunteer) => vec![volunteer],
            EjectTarget::Identity(identity) => self
                .training
                .learner()
                .volunteer(identity)
                .into_iter()
                .collect(),
            EjectTarget::Address(address) => self.registry.at(address),
        };
        let ejected = volunteers
            .into_iter()
            .filter(|volunteer| self.training.eject(*volunteer, reason))
            .count();
        self.handle_events();
        ejected
    }

    /// Hands queued verifications to the verifier. Those that lack something, or for which it has no place, are skipped.
    fn submit_verifications(&mut self) {
        let Some(verifier) = &self.verifier else {
            return;
        };
        while let Some(job) = self.training.poll_verification() {
            let submitted = if job.segment.is_verifiable() {
                verifier.submit(&job)
            } else {
                Err(SubmitError::Full)
            };
            match submitted {
                Ok(()) => {}
                Err(SubmitError::Full) => {
                    let skipped = VerificationResult::skipped(&job);
                    self.training.handle_verification(&skipped);
                }
                Err(SubmitError::Stopped) => self.verifier_stopped = true,
            }
        }
        self.handle_events();
    }

    /// Logs and forwards what the training server did.
    pub(super) fn handle_events(&mut self) {
        while let Some(event) = self.training.poll_event() {
            match event {
                LearnerEvent::RolledBack { .. } => self.has_changed = true,
                LearnerEvent::Joined(_) | LearnerEvent::Left(_) => {}
                LearnerEvent::Banned(identity) => self.admission.ban(Ban::Identity(identity)),
                LearnerEvent::VerificationFailed { volunteer, task } => {
                    self.log_failed(volunteer, task);
                }
                LearnerEvent::Ejected {
                    volunteer,
                    reason,
                    record,
                } => self.on_ejected(volunteer, reason, record),
                LearnerEvent::VerificationSkipped(_) => self.counters.verification.record_skip(),
            }
        }
    }

    fn log_failed(&self, volunteer: VolunteerId, task: TaskId) {
        let address = self
            .registry
            .get_or_departed(volunteer)
            .map(|entry| entry.request.address);
        tracing::warn!(
            event = "verification_failed",
            volunteer = volunteer.0,
            task = task.0,
            address = address.map(tracing::field::display),
            "update failed verification"
        );
    }

    /// Records an ejection and notifies the session, which may have ended already.
    fn on_ejected(&mut self, volunteer: VolunteerId, reason: GoodbyeReason, record: TrustRecord) {
        self.publication.expedite();
        let is_departed = self.training.learner().is_departed(volunteer);
        let Some(entry) = self.registry.get_or_departed_mut(volunteer) else {
            return;
        };
        tracing::info!(
            event = "ejected",
            volunteer = volunteer.0,
            address = %entry.request.address,
            reason = reason.name(),
            "volunteer ejected"
        );
        self.telemetry
            .ejections
            .record(volunteer, &entry.request, record, reason);
        if let Some(session) = entry.ejected.take() {
            _ = session.send(reason);
        }
        self.registry.remove(volunteer, is_departed);
    }
}
