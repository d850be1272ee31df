//! The training server without I/O: a [learner](crate::learner), the [issuer](crate::task_issuer) of its volunteers'
//! tasks, and the versions that these are issued against.
//!
//! ```text
//!   inputs                                        outputs
//!     join, leave, eject                            LearnerEvent       poll_event
//!                                                   Record             poll_record
//!     next_task(size)           +-----------------+ Task
//!     further_task              |                 |
//!     handle_update(bits)       | TrainingServer  | AcceptedUpdate or RejectReason
//!     publish                   +-----------------+ Version
//!     handle_verdict                                VerificationJob    poll_verification
//! ```
//!
//! The outcome depends on the sequence of inputs alone. The server of the product and the simulator run the same state
//! machine.
//!
//! Versions of the model are published with [`TrainingServer::publish`]. The caller decides when: after
//! [`crate::assignment::updates_between_snapshots`] accepted updates since the last at the earliest.

mod state;
#[cfg(all(test, not(target_family = "wasm")))] // proptest does not run in a browser
mod tests;

pub use state::TrainingState;

use std::sync::Arc;

use crate::assignment::AssignmentOptions;
use crate::identity::VolunteerIdentity;
use crate::keys::RunKeys;
use crate::learner::{
    AcceptedUpdate, InjectedFault, Learner, LearnerEvent, LearnerOptions, Record, Verdict,
    VerificationJob, VerificationOutcome, VersionPublisher,
};
use crate::optimizer::FarSign;
use crate::sign::{SignBits, SignBitsError};
use crate::task::{GoodbyeReason, RejectReason, Task, TaskId, TaskSize, VolunteerId};
use crate::task_issuer::{ClosedTask, TaskIssuer};
use crate::version::Version;

/// Options of a training server, besides those of its optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingOptions {
    /// Assignment of tasks.
    pub assignment: AssignmentOptions,
    /// Keys of the run.
    pub keys: RunKeys,
    /// Probability, in `(0, 1]`, that an update of an established volunteer is verified. `None` if updates are not
    /// verified; trust is then 1.
    pub verify_probability: Option<f64>,
    /// Direction seed of all tasks, in place of the assigned ones. `None` in the product.
    pub direction_seed: Option<u64>,
    /// Records after which an unverified update is forgotten, at least 1;
    /// [`HORIZON`](crate::learner::HORIZON) in the product.
    pub horizon: u64,
    /// A fault to inject. `None` in the product.
    pub fault: Option<InjectedFault>,
}

/// The outcome of an update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpdateOutcome {
    /// The accepted update, or the reason for its rejection.
    pub verdict: Result<AcceptedUpdate, RejectReason>,
    /// Whether the update closed its task, so that the volunteer gets another.
    pub closed: bool,
}

/// A training server without I/O.
#[derive(Debug)]
pub struct TrainingServer {
    issuer: TaskIssuer,
    learner: Learner,
    /// The newest published version, which tasks are issued against.
    version: Arc<Version>,
    publisher: VersionPublisher,
}

impl TrainingOptions {
    fn issuer(&self) -> TaskIssuer {
        TaskIssuer::new(self.assignment, self.keys.tasks, self.direction_seed)
    }

    /// Returns the options of its learner.
    pub fn learner(&self) -> LearnerOptions {
        LearnerOptions {
            sampling_key: self.keys.sampling,
            verify_probability: self.verify_probability,
            horizon: self.horizon,
            fault: self.fault,
        }
    }
}

impl TrainingServer {
    /// Creates a server of a new run.
    pub fn new(optimizer: FarSign, options: TrainingOptions) -> Self {
        Self::resume(Learner::new(optimizer, options.learner()), options)
    }

    /// Returns the learner.
    pub fn learner(&self) -> &Learner {
        &self.learner
    }

    /// Returns the optimizer.
    pub fn optimizer(&self) -> &FarSign {
        self.learner.optimizer()
    }

    /// Adds a volunteer. A connected volunteer of the same identity is ejected; its trust carries over.
    pub fn join(&mut self, identity: Option<VolunteerIdentity>) -> VolunteerId {
        let volunteer = self.learner.join(identity);
        self.issuer.join(volunteer);
        self.forget_left();
        volunteer
    }

    /// Removes a volunteer that has left. Ignored if it is not connected.
    pub fn leave(&mut self, volunteer: VolunteerId) {
        self.learner.leave(volunteer);
        self.forget_left();
    }

    /// Ejects a volunteer. Returns whether it was connected.
    pub fn eject(&mut self, volunteer: VolunteerId, reason: GoodbyeReason) -> bool {
        let ejected = self.learner.eject(volunteer, reason);
        self.forget_left();
        ejected
    }

    /// Issues a task of this size against the newest version. Open tasks of the volunteer time out.
    ///
    /// `None` if the volunteer is not connected.
    pub fn next_task(&mut self, volunteer: VolunteerId, size: TaskSize) -> Option<Task> {
        self.eject_exhausted(volunteer);
        self.issuer.next_task(volunteer, size, &self.version)
    }

    /// Issues a task of this size as [`TrainingServer::next_task`] does, but open tasks stay open.
    ///
    /// The volunteer sends the updates of its open tasks in their order. `None` if it is not connected, or already has
    /// [`MAX_OPEN_TASKS`](crate::task_sizing::MAX_OPEN_TASKS) open tasks.
    pub fn further_task(&mut self, volunteer: VolunteerId, size: TaskSize) -> Option<Task> {
        self.eject_exhausted(volunteer);
        self.issuer.further_task(volunteer, size, &self.version)
    }

    /// Ejects a volunteer that has had all its numbers. Its next session has new ones.
    fn eject_exhausted(&mut self, volunteer: VolunteerId) {
        if self.issuer.is_exhausted(volunteer) {
            self.eject(volunteer, GoodbyeReason::TaskTimeout);
        }
    }

    /// Drops the version of an open task, for which the caller has no memory. Its update cannot be verified then.
    pub fn drop_version(&mut self, task: TaskId) {
        self.issuer.drop_version(task);
    }

    /// Returns the number of open tasks of a volunteer.
    pub fn open_tasks(&self, volunteer: VolunteerId) -> usize {
        self.issuer.open_tasks(volunteer)
    }

    /// Returns the number of tasks issued since the server was created.
    pub fn issued(&self) -> u64 {
        self.issuer.issued()
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
        let closed = match self.issuer.close(volunteer, task) {
            Ok(closed) => closed,
            Err(reason) => {
                return UpdateOutcome {
                    verdict: Err(reason),
                    closed: false,
                };
            }
        };
        let verdict = self.apply(volunteer, &closed, bits, factor);
        if verdict.is_err() {
            self.issuer.reset(volunteer);
        }
        UpdateOutcome {
            verdict,
            closed: true,
        }
    }

    fn apply(
        &mut self,
        volunteer: VolunteerId,
        closed: &ClosedTask,
        bits: &[u8],
        factor: f32,
    ) -> Result<AcceptedUpdate, RejectReason> {
        match SignBits::from_bytes(bits, self.optimizer().directions()) {
            Ok(signs) => self
                .learner
                .update(volunteer, closed, &Arc::new(signs), factor),
            Err(error) => {
                self.learner.skip_update(volunteer, closed);
                Err(match error {
                    SignBitsError::Length { .. } => RejectReason::WrongBitCount,
                    SignBitsError::Spare { .. } => RejectReason::SpareBitsSet,
                })
            }
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
        let closed = self.issuer.close(volunteer, task)?;
        self.learner.skip_update(volunteer, &closed);
        Ok(())
    }

    /// Handles the verdict of a verification, as [`Learner::handle_verdict`] does.
    pub fn handle_verdict(&mut self, verdict: Verdict) -> VerificationOutcome {
        let outcome = self.learner.handle_verdict(verdict);
        self.forget_left();
        outcome
    }

    /// Publishes the next version, as [`VersionPublisher::publish`] does. Tasks are issued against it from now on.
    pub fn publish(&mut self) -> &Arc<Version> {
        self.version = self.publisher.publish(&self.learner);
        &self.version
    }

    /// Returns the newest published version.
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// Returns the oldest record that was taken and not polled. `None` if there is none.
    pub fn poll_record(&mut self) -> Option<Record> {
        self.learner.poll_record()
    }

    /// Returns the oldest event that was not polled. `None` if there is none.
    pub fn poll_event(&mut self) -> Option<LearnerEvent> {
        self.learner.poll_event()
    }

    /// Returns the oldest verification that was not polled. `None` if there is none.
    ///
    /// The caller recomputes its updates, and reports its verdict with [`TrainingServer::handle_verdict`].
    pub fn poll_verification(&mut self) -> Option<Arc<VerificationJob>> {
        self.learner.poll_verification()
    }

    /// Lets volunteers that the learner has removed have no more tasks.
    fn forget_left(&mut self) {
        let left = self.learner.take_left();
        left.for_each(|volunteer| self.issuer.leave(volunteer));
    }
}
