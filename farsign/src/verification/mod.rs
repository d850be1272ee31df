//! Verification of updates: a second computation, compared bit for bit.
//!
//! The server assigns everything that an update depends on, and every target computes the same bits. An honest update
//! is therefore a pure function of the tasks since the last momentum reset. Recomputing these tasks yields the same
//! update bit for bit, and a single differing bit proves that the update is not what its tasks require. The cause
//! remains unknown: faulty memory looks like an attack.
//!
//! ```text
//!   reset                                                  next reset
//!     v                                                       v
//!     task 1   task 2   task 3   ...   task j   ...   task k  |     verification of the updates j and k:
//!     update   update   update         update         update  |     1 to j are recomputed, then j + 1 to k
//! ```
//!
//! Whether an update is sampled follows from the position of its record and a secret key ([`is_sampled`]), and so is decided after the
//! update is accepted: every update of a volunteer has the same probability, and none is ever safe to falsify. Verifying
//! an update verifies all since the reset. A [`VerificationChain`] records tasks and updates with their parameters, and a
//! [`Recomputer`] continues from where the last verification ended, or begins at the reset if it has not kept that momentum.

mod recomputer;

pub use recomputer::{Recomputer, VerifiedSegment};

use std::sync::Arc;

use crate::assignment::ResetInterval;
use crate::attachment::Attached;
use crate::keys::{Key, Purpose};
use crate::sign::SignBits;
use crate::task::{Task, TaskId};
use crate::version::Version;

/// A task with the update that was received for it.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiableUpdate {
    /// Position of its record in the run.
    pub position: u64,
    /// The task.
    pub task: Task,
    /// The task's version.
    pub version: Attached<Arc<Version>>,
    /// The received update. `None` if it was rejected: the task only continues the momentum.
    pub signs: Option<Arc<SignBits>>,
}

/// Returns whether the update at a position of the run is verified, if each is with `probability`, in `(0, 1]`.
pub fn is_sampled(key: &Key, position: u64, probability: f64) -> bool {
    let [word] = key.words(Purpose::Sampling, position);
    let unit = (word >> 11) as f64 / (1u64 << 53) as f64;
    unit < probability
}

/// Returns the expected fraction of a volunteer's updates that are recomputed, if each is sampled with `probability`.
///
/// An update is recomputed if it or a later one before the next reset is sampled.
pub fn recomputed_fraction(probability: f64) -> f64 {
    let ResetInterval { min, max } = ResetInterval::VERIFIED;
    let mut tasks = 0.0;
    let mut recomputed = 0.0;
    let mut missed = 1.0; // probability that neither an update nor any of those left after it is sampled
    for left in 1..=max {
        missed *= 1.0 - probability;
        let lengths = f64::from(max + 1 - left.max(min)); // intervals with such an update
        tasks += lengths;
        recomputed += lengths * (1.0 - missed);
    }
    recomputed / tasks
}

/// A volunteer's updates since the last verification or reset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VerificationChain {
    updates: Vec<VerifiableUpdate>,
    /// The task that reset the momentum. `None` before the first task.
    reset: Option<TaskId>,
    /// The newest task. `None` before the first task.
    last: Option<TaskId>,
    /// Whether the updates before the recorded ones are verified, so that the first continues their momentum.
    continues: bool,
    /// Those updates, from the reset on.
    verified: Attached<Vec<VerifiableUpdate>>,
    /// Whether updates are recorded until the next reset.
    is_recording: bool,
    /// Whether one of the updates was sampled.
    has_sampled: bool,
}

/// What a [`VerificationChain`] consists of besides its updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainState {
    /// The task that reset the momentum. `None` before the first task.
    pub reset: Option<TaskId>,
    /// The newest task. `None` before the first task.
    pub last: Option<TaskId>,
    /// Whether the updates before the recorded ones are verified.
    pub continues: bool,
    /// Whether updates are recorded until the next reset.
    pub is_recording: bool,
    /// Whether one of the updates was sampled.
    pub has_sampled: bool,
}

/// A segment of a chain, to be recomputed.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainSegment {
    /// Updates in task order, at least one.
    pub updates: Vec<VerifiableUpdate>,
    /// Whether the first update continues the momentum of updates before it. Otherwise its task resets the momentum.
    pub continues: bool,
    /// Those updates, from the reset on. They are verified, and recomputed only for their momentum.
    pub verified: Attached<Vec<VerifiableUpdate>>,
    /// The task that began the chain with a reset.
    pub reset: TaskId,
}

impl ChainSegment {
    /// Returns whether everything that a verification needs is attached.
    pub fn is_verifiable(&self) -> bool {
        let has_version = |update: &VerifiableUpdate| update.version.get().is_some();
        let verified = self.verified.get();
        let is_known = !self.continues || verified.is_some_and(|all| all.iter().all(has_version));
        is_known && self.updates.iter().all(has_version)
    }
}

/// Whether sampled updates of the chain before are lost, because no verification was possible before the next reset.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// None are.
    No,
    /// At least one is.
    Sampled,
}

impl VerificationChain {
    /// Records the next update, and whether it was sampled.
    ///
    /// A task that resets the momentum begins a chain. After a missing task the momentum is unknown, and nothing is
    /// recorded until then.
    pub fn push(&mut self, update: VerifiableUpdate, is_sampled: bool) -> Lost {
        let task = update.task;
        let follows = self.last.is_some_and(|last| last.0 + 1 == task.id.0);
        let mut lost = Lost::No;
        if task.reset_momentum || !follows {
            if self.has_sampled {
                lost = Lost::Sampled;
            }
            self.stop();
        }
        if task.reset_momentum {
            self.reset = Some(task.id);
            self.is_recording = true;
        }
        self.last = Some(task.id);
        if self.is_recording {
            self.updates.push(update);
            self.has_sampled |= is_sampled;
        }
        lost
    }

    /// Restores a chain, without the verified updates that its first one continues.
    pub fn restore(state: ChainState, updates: Vec<VerifiableUpdate>) -> Self {
        let ChainState {
            reset,
            last,
            continues,
            is_recording,
            has_sampled,
        } = state;
        Self {
            has_sampled: has_sampled && reset.is_some() && !updates.is_empty(),
            updates,
            reset,
            last,
            continues,
            verified: Attached::default(),
            is_recording,
        }
    }

    /// Returns what the chain consists of besides its updates.
    pub fn state(&self) -> ChainState {
        ChainState {
            reset: self.reset,
            last: self.last,
            continues: self.continues,
            is_recording: self.is_recording,
            has_sampled: self.has_sampled,
        }
    }

    /// Returns the recorded updates, in task order.
    pub fn updates(&self) -> &[VerifiableUpdate] {
        &self.updates
    }

    /// Stops recording if one of the updates has this position or an earlier one.
    pub fn forget(&mut self, position: u64) -> Lost {
        let is_old = |update: &VerifiableUpdate| update.position <= position;
        if !self.updates.first().is_some_and(is_old) {
            return Lost::No;
        }
        let lost = self.has_sampled;
        self.stop();
        if lost { Lost::Sampled } else { Lost::No }
    }

    /// Stops recording until the next task that resets the momentum.
    pub fn stop(&mut self) {
        self.updates.clear();
        self.continues = false;
        self.verified = Attached::default();
        self.is_recording = false;
        self.has_sampled = false;
    }

    /// Takes all updates since the last verification, if one of them was sampled.
    pub fn take_sampled(&mut self) -> Option<ChainSegment> {
        let reset = self.reset.filter(|_| self.has_sampled)?;
        self.has_sampled = false;
        let segment = ChainSegment {
            updates: std::mem::take(&mut self.updates),
            continues: std::mem::replace(&mut self.continues, true),
            verified: self.verified.clone(),
            reset,
        };
        if !segment.continues {
            self.verified = Vec::new().into();
        }
        if let Some(verified) = &mut self.verified.0 {
            verified.extend(segment.updates.iter().cloned());
        }
        Some(segment)
    }
}

#[cfg(test)]
mod tests;
