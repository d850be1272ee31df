//! Tasks, updates and their verification.

use std::sync::Arc;

use super::{InjectedFault, TrainingEvent, TrainingServer, VerificationJob};
use crate::assignment::VolunteerAssignment;
use crate::momentum::Momentum;
use crate::optimizer::{ApplyError, SignUpdate};
use crate::sign::{SignBits, SignBitsError};
use crate::step::Step;
use crate::task::{GoodbyeReason, RejectReason, Task, TaskId, TaskSize, VolunteerId};
use crate::task_sizing::MAX_OPEN_TASKS;
use crate::verification::{Lost, VerificationChain, is_sampled};
use crate::version::Version;

/// A task for a volunteer.
#[derive(Clone, Debug, PartialEq)]
pub struct IssuedTask {
    /// The task.
    pub task: Task,
    /// Whether the version is recorded for a later verification. A caller without memory for it reports with
    /// [`TrainingServer::skip_recording`].
    pub is_recorded: bool,
    /// The version that the task was issued against.
    pub version: Arc<Version>,
}

/// An update that moved the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AcceptedUpdate {
    /// Number among accepted updates, from 1.
    pub update: u64,
    /// Weight, `w_i`.
    pub weight: f32,
    /// Factor on the sender's weight: relative trust times the caller's factor.
    pub trust: f32,
    /// The task of the update.
    pub task: Task,
}

/// The outcome of an update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpdateOutcome {
    /// The accepted update, or the reason for its rejection.
    pub verdict: Result<AcceptedUpdate, RejectReason>,
    /// Whether the update closed its task, so that the volunteer gets another.
    pub closed: bool,
}

/// What a verification result led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerificationOutcome {
    /// The sender's trust has grown.
    Passed,
    /// The sender was ejected, and its unverified updates were rolled back.
    Failed,
    /// The verification was not running any more.
    Ignored,
}

/// The result of a [`VerificationJob`].
#[derive(Clone, Debug, PartialEq)]
pub struct VerificationResult {
    /// The sender of the updates.
    pub volunteer: VolunteerId,
    /// The task of the last update.
    pub last: TaskId,
    /// The first task whose update differs from the recomputed one. `None` if all are correct.
    pub mismatch: Option<TaskId>,
    /// Momentum after the last update.
    pub momentum: Arc<Momentum>,
}

impl VerificationResult {
    /// Creates the result of a job from the position of the first mismatch and the momentum after the last update.
    pub fn new(job: &VerificationJob, mismatch: Option<usize>, momentum: Momentum) -> Self {
        Self {
            volunteer: job.volunteer,
            last: job.last_task(),
            mismatch: mismatch.map(|position| job.segment.updates[position].task.id),
            momentum: Arc::new(momentum),
        }
    }
}

impl TrainingServer {
    /// Issues a task of this size against the newest version. Open tasks of the volunteer time out.
    ///
    /// `None` if the volunteer is not connected.
    pub fn next_task(&mut self, volunteer: VolunteerId, size: TaskSize) -> Option<IssuedTask> {
        if self.ledger.expire(volunteer) {
            self.reset_assignment(volunteer); // the momentum lacks the updates of the tasks that time out
            if let Some(state) = self.volunteers.get_mut(&volunteer) {
                state.chain = VerificationChain::default();
            }
        }
        self.issue_task(volunteer, size)
    }

    /// Issues a task of this size as [`TrainingServer::next_task`] does, but open tasks stay open.
    ///
    /// The volunteer sends the updates of its open tasks in their order. `None` if it is not connected, or already has
    /// [`MAX_OPEN_TASKS`] open tasks.
    pub fn further_task(&mut self, volunteer: VolunteerId, size: TaskSize) -> Option<IssuedTask> {
        if self.ledger.open_tasks(volunteer) >= MAX_OPEN_TASKS {
            return None;
        }
        self.issue_task(volunteer, size)
    }

    /// Returns the number of open tasks of a volunteer.
    pub fn open_tasks(&self, volunteer: VolunteerId) -> usize {
        self.ledger.open_tasks(volunteer)
    }

    fn issue_task(&mut self, volunteer: VolunteerId, size: TaskSize) -> Option<IssuedTask> {
        if self.ledger.issued_to(volunteer) == TaskId::MAX_NUMBER {
            self.eject(volunteer, GoodbyeReason::TaskTimeout); // its next session has new numbers
        }
        let state = self.volunteers.get_mut(&volunteer)?;
        let id = TaskId::new(volunteer, self.ledger.issued_to(volunteer) + 1);
        let mut assignment =
            self.assigner
                .assign(&mut state.assignment, id, self.version.accepted());
        if let Some(seed) = self.options.direction_seed {
            assignment.direction_seed = seed;
        }
        let task = self.ledger.issue(id, assignment, size, self.version.hash());
        let version = Arc::clone(&self.version);
        let is_recorded =
            self.options.verify_probability.is_some() && state.chain.on_task(&task, &version);
        Some(IssuedTask {
            task,
            is_recorded,
            version,
        })
    }

    /// Applies an update, `bits` being one sign bit per direction.
    ///
    /// `factor` multiplies the weight; it is 1 in the product. After a rejected update that closed its task, the
    /// volunteer's momentum is unknown, so its next task resets it.
    pub fn handle_update(
        &mut self,
        volunteer: VolunteerId,
        task: TaskId,
        bits: &[u8],
        factor: f32,
    ) -> UpdateOutcome {
        let task = match self.ledger.close_with_update(volunteer, task) {
            Ok(task) => task,
            Err(reason) => {
                return UpdateOutcome {
                    verdict: Err(reason),
                    closed: false,
                };
            }
        };
        let verdict = self.apply(volunteer, task, bits, factor);
        if let Ok(accepted) = verdict {
            self.sample(volunteer, accepted.update);
        } else {
            self.reset_assignment(volunteer);
            self.continue_chain(volunteer);
        }
        UpdateOutcome {
            verdict,
            closed: true,
        }
    }

    /// Closes a volunteer's task without applying its update. The volunteer's momentum continues.
    ///
    /// # Errors
    /// Returns an error if the task is not open for this volunteer.
    pub fn discard_update(
        &mut self,
        volunteer: VolunteerId,
        task: TaskId,
    ) -> Result<(), RejectReason> {
        self.ledger.close_with_update(volunteer, task)?;
        self.continue_chain(volunteer);
        Ok(())
    }

    /// Records that the first open task of a volunteer was closed without its update.
    fn continue_chain(&mut self, volunteer: VolunteerId) {
        let state = self.volunteers.get_mut(&volunteer);
        let lost = state.map(|state| state.chain.on_rejected());
        if lost == Some(Lost::Sampled) {
            self.on_skipped(volunteer);
        }
    }

    fn on_skipped(&mut self, volunteer: VolunteerId) {
        self.events
            .push_back(TrainingEvent::VerificationSkipped(volunteer));
    }

    fn apply(
        &mut self,
        volunteer: VolunteerId,
        task: Task,
        bits: &[u8],
        factor: f32,
    ) -> Result<AcceptedUpdate, RejectReason> {
        let signs = SignBits::from_bytes(bits, self.optimizer.directions());
        self.signs = Arc::new(signs.map_err(|error| match error {
            SignBitsError::Length { .. } => RejectReason::WrongBitCount,
            SignBitsError::Spare { .. } => RejectReason::SpareBitsSet,
        })?);
        if self.optimizer.is_finished() {
            return Err(RejectReason::RunFinished);
        }
        let verified = self.options.verify_probability.is_some();
        let state = self
            .volunteers
            .get_mut(&volunteer)
            .ok_or(RejectReason::UnknownTask)?;
        let trust = factor
            * if verified {
                self.trust_mean.observe(state.record.trust)
            } else {
                1.0
            };
        let flipped =
            (self.options.fault == Some(InjectedFault::SignsFlipped)).then(|| self.signs.flipped());
        let signs = flipped.as_ref().unwrap_or(&*self.signs);
        let update = SignUpdate {
            volunteer,
            direction_seed: task.direction_seed,
            trust,
            signs,
        };
        // The signs and the schedule were validated above; `factor` is above 0.
        let applied = self.optimizer.apply(update).map_err(|error| match error {
            ApplyError::Reach { .. } => RejectReason::OutOfRange,
            _ => RejectReason::RunFinished,
        })?;
        if self.options.fault == Some(InjectedFault::WeightsIgnored) {
            let step = self.optimizer.last_step();
            let rest = Step {
                scale: -applied.alpha - step.scale,
                ..step.clone()
            };
            self.optimizer
                .rollback(&rest)
                .expect("the step has as many signs as the one before it");
        }
        state.record.accepted += 1;
        if let Some(identity) = state.identity {
            self.events.push_back(TrainingEvent::TrustChanged {
                identity,
                record: Some(state.record),
            });
        }
        if verified {
            let step = self.optimizer.last_step();
            state.unverified.push(task.id, &self.signs, step);
        }
        Ok(AcceptedUpdate {
            update: applied.update,
            weight: applied.weight,
            trust,
            task,
        })
    }

    fn reset_assignment(&mut self, volunteer: VolunteerId) {
        if let Some(state) = self.volunteers.get_mut(&volunteer) {
            state.assignment = VolunteerAssignment::default();
        }
    }

    /// Adds the newest update, which has this number, to its volunteer's chain, and queues a verification if it was
    /// sampled.
    fn sample(&mut self, volunteer: VolunteerId, update: u64) {
        let Some(probability) = self.options.verify_probability else {
            return;
        };
        let Some(state) = self.volunteers.get_mut(&volunteer) else {
            return;
        };
        let probability = state.record.trust.verify_probability(probability);
        let is_sampled = is_sampled(&self.options.keys.sampling, update, probability);
        let lost = state.chain.on_update(&self.signs, is_sampled);
        if lost == Lost::Sampled {
            self.on_skipped(volunteer);
        }
        self.queue_verification(volunteer);
    }

    /// Queues the verification of a volunteer's sampled updates, unless another one is running. There is one at a time,
    /// because each continues the momentum of the one before it.
    fn queue_verification(&mut self, volunteer: VolunteerId) {
        let state = self.volunteers.get_mut(&volunteer);
        let Some(state) = state.filter(|state| state.running.is_none()) else {
            return;
        };
        if let Some(segment) = state.chain.take_sampled() {
            let job = Arc::new(VerificationJob {
                volunteer,
                identity: state.identity,
                segment,
            });
            state.running = Some(Arc::clone(&job));
            self.jobs.push_back(job);
        }
    }

    /// Stops recording a volunteer's updates until its next reset, since the caller has no memory for them.
    pub fn skip_recording(&mut self, volunteer: VolunteerId) {
        if let Some(state) = self.volunteers.get_mut(&volunteer) {
            state.chain.stop_all();
        }
    }

    /// Drops a volunteer's running verification, since the caller has no place for it. Nothing of the volunteer is
    /// verified until its next reset.
    pub fn skip_verification(&mut self, volunteer: VolunteerId) {
        self.departed.remove(&volunteer);
        if let Some(state) = self.volunteers.get_mut(&volunteer) {
            state.running = None;
            state.chain.stop();
        }
    }

    /// Handles the result of a verification. A result of a verification that is not running is ignored.
    ///
    /// A passed verification adds to the sender's trust. A failed one ejects the sender, bans its identity and rolls its
    /// unverified updates back.
    pub fn handle_verification(&mut self, result: &VerificationResult) -> VerificationOutcome {
        let VerificationResult {
            volunteer,
            last,
            mismatch,
            ref momentum,
        } = *result;
        let connected = self.volunteers.get_mut(&volunteer);
        let Some(state) = connected.or_else(|| self.departed.get_mut(&volunteer)) else {
            return VerificationOutcome::Ignored;
        };
        let Some(job) = state.running.take_if(|job| job.last_task() == last) else {
            return VerificationOutcome::Ignored;
        };
        let mismatch =
            mismatch.filter(|_| self.options.fault != Some(InjectedFault::VerificationDisabled));
        if let Some(task) = mismatch {
            self.on_failed(volunteer, job.identity, task);
            return VerificationOutcome::Failed;
        }
        state
            .chain
            .set_momentum(job.segment.reset, Arc::clone(momentum));
        self.on_passed(volunteer, job.identity, last);
        self.queue_verification(volunteer);
        VerificationOutcome::Passed
    }
}
