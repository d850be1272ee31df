//! Updates of volunteers.

use std::sync::Arc;

use super::{InjectedFault, Learner, Record};
use crate::optimizer::{ApplyError, SignUpdate};
use crate::sign::SignBits;
use crate::step::Step;
use crate::task::{RejectReason, Task, VolunteerId};
use crate::task_issuer::ClosedTask;
use crate::verification::{Lost, VerifiableUpdate, is_sampled};

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

impl Learner {
    /// Applies the update `signs` to a task, one sign per direction.
    ///
    /// `factor` multiplies the weight, and is above 0; it is 1 in the product.
    ///
    /// # Errors
    /// Returns an error if the sender is not connected, the task is not newer than the last one of its updates, or the
    /// optimizer cannot take the step. Only the momentum of a later verification has then changed.
    pub fn update(
        &mut self,
        volunteer: VolunteerId,
        closed: &ClosedTask,
        signs: &Arc<SignBits>,
        factor: f32,
    ) -> Result<AcceptedUpdate, RejectReason> {
        let position = self.begin(Record::Update {
            volunteer,
            task: closed.task,
            signs: Some(Arc::clone(signs)),
        });
        self.close(volunteer, closed)?;
        let applied = self.apply(position, volunteer, closed.task, signs, factor);
        let update = VerifiableUpdate {
            position,
            task: closed.task,
            version: closed.version.clone(),
            signs: applied.is_ok().then(|| Arc::clone(signs)),
        };
        self.record_update(volunteer, update);
        applied
    }

    /// Records that a task was closed without its update, after which the momentum of its volunteer continues.
    pub fn skip_update(&mut self, volunteer: VolunteerId, closed: &ClosedTask) {
        let position = self.begin(Record::Update {
            volunteer,
            task: closed.task,
            signs: None,
        });
        if self.close(volunteer, closed).is_ok() {
            let update = VerifiableUpdate {
                position,
                task: closed.task,
                version: closed.version.clone(),
                signs: None,
            };
            self.record_update(volunteer, update);
        }
    }

    /// Closes a task, each only once.
    fn close(&mut self, volunteer: VolunteerId, closed: &ClosedTask) -> Result<(), RejectReason> {
        let state = self.volunteers.get_mut(&volunteer);
        let state = state.ok_or(RejectReason::UnknownTask)?;
        let number = closed.task.id.number();
        if closed.task.id.volunteer() != volunteer {
            return Err(RejectReason::NotYourTask);
        }
        if number <= state.closed {
            return Err(RejectReason::DuplicateUpdate);
        }
        state.closed = number;
        Ok(())
    }

    fn apply(
        &mut self,
        position: u64,
        volunteer: VolunteerId,
        task: Task,
        signs: &Arc<SignBits>,
        factor: f32,
    ) -> Result<AcceptedUpdate, RejectReason> {
        if self.optimizer.is_finished() {
            return Err(RejectReason::RunFinished);
        }
        let verified = self.verify_probability.is_some();
        let state = self
            .volunteers
            .get_mut(&volunteer)
            .ok_or(RejectReason::UnknownTask)?;
        let mut trust_mean = self.trust_mean;
        let trust = factor
            * if verified {
                trust_mean.observe(state.record.trust)
            } else {
                1.0
            };
        let flipped =
            (self.options.fault == Some(InjectedFault::SignsFlipped)).then(|| signs.flipped());
        let update = SignUpdate {
            volunteer,
            direction_seed: task.direction_seed,
            trust,
            signs: flipped.as_ref().unwrap_or(&**signs),
        };
        let applied = self.optimizer.apply(update).map_err(|error| match error {
            ApplyError::Reach { .. } => RejectReason::OutOfRange,
            ApplyError::SignCount { .. } => RejectReason::WrongBitCount,
            _ => RejectReason::RunFinished, // `factor` is above 0
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
        self.moved_at = position;
        self.trust_mean = trust_mean;
        self.signs = Arc::clone(signs);
        state.record.accepted += 1;
        if verified {
            let step = self.optimizer.last_step();
            state.unverified.push(position, task.id, signs, step);
        }
        Ok(AcceptedUpdate {
            update: applied.update,
            weight: applied.weight,
            trust,
            task,
        })
    }

    /// Adds an update to its volunteer's chain, and queues a verification if it was sampled.
    fn record_update(&mut self, volunteer: VolunteerId, update: VerifiableUpdate) {
        let Some(probability) = self.verify_probability else {
            return;
        };
        let Some(state) = self.volunteers.get_mut(&volunteer) else {
            return;
        };
        let probability = state.record.trust.verify_probability(probability);
        let key = &self.options.sampling_key;
        let is_sampled = update.signs.is_some() && is_sampled(key, update.position, probability);
        let position = update.position;
        let lost = state.chain.push(update, is_sampled);
        self.refer(position, volunteer);
        if lost == Lost::Sampled {
            self.on_skipped(volunteer);
        }
        self.queue_verification(volunteer);
    }
}
