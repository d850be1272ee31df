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
//! [`Recomputer`] continues from where the last verification ended.

use std::sync::Arc;

use crate::assignment::ResetInterval;
use crate::attachment::Attached;
use crate::dataset::ShardedDataset;
use crate::keys::{Key, Purpose};
use crate::momentum::Momentum;
use crate::sign::SignBits;
use crate::sign_update::UpdateComputer;
use crate::task::{RunSettings, Task, TaskId};
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
    /// That momentum.
    momentum: Attached<Arc<Momentum>>,
    /// Whether updates are recorded until the next reset.
    is_recording: bool,
    /// Whether one of the updates was sampled.
    has_sampled: bool,
}

/// What a [`VerificationChain`] consists of besides its updates and its momentum.
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
    /// The momentum that it continues.
    pub momentum: Attached<Arc<Momentum>>,
    /// The task that began the chain with a reset.
    pub reset: TaskId,
}

impl ChainSegment {
    /// Returns whether everything that a verification needs is attached.
    pub fn is_verifiable(&self) -> bool {
        let has_version = |update: &VerifiableUpdate| update.version.get().is_some();
        self.updates.iter().all(has_version) && (!self.continues || self.momentum.get().is_some())
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

    /// Restores a chain, without the momentum that its first update continues.
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
            momentum: Attached::default(),
            is_recording,
        }
    }

    /// Returns what the chain consists of besides its updates and its momentum.
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
        self.momentum = Attached::default();
        self.is_recording = false;
        self.has_sampled = false;
    }

    /// Sets the momentum that the verification of the chain's last segment ended with. Ignored if the chain has been
    /// replaced since, that is if it does not begin with the task `reset`.
    pub fn set_momentum(&mut self, reset: TaskId, momentum: Attached<Arc<Momentum>>) {
        if self.is_recording && self.reset == Some(reset) {
            self.momentum = momentum;
        }
    }

    /// Takes all updates since the last verification, if one of them was sampled.
    ///
    /// The momentum after the segment taken before must have been set.
    pub fn take_sampled(&mut self) -> Option<ChainSegment> {
        let reset = self.reset.filter(|_| self.has_sampled)?;
        self.has_sampled = false;
        Some(ChainSegment {
            updates: std::mem::take(&mut self.updates),
            continues: std::mem::replace(&mut self.continues, true),
            momentum: std::mem::take(&mut self.momentum),
            reset,
        })
    }
}

/// A recomputer of a run's updates.
#[derive(Debug)]
pub struct Recomputer {
    computer: UpdateComputer,
    data: ShardedDataset,
    /// Parameters of the last task's version, `[d]`, in a buffer that is reused.
    x: Vec<f32>,
}

impl Recomputer {
    /// Creates a recomputer for a run's settings and training data.
    pub fn new(settings: RunSettings, data: impl Into<ShardedDataset>) -> Self {
        Self {
            computer: UpdateComputer::new(settings),
            data: data.into(),
            x: Vec::new(),
        }
    }

    /// Recomputes a segment. Returns the position of the first update that differs, `None` if all are correct, and the
    /// momentum after the last recomputed update.
    ///
    /// `None` if the segment [is not verifiable](ChainSegment::is_verifiable).
    pub fn verify(&mut self, segment: &ChainSegment) -> Option<(Option<usize>, Momentum)> {
        if !segment.is_verifiable() {
            return None;
        }
        let momentum = segment.momentum.get().filter(|_| segment.continues);
        let mut momentum = momentum
            .map(|momentum| Momentum::clone(momentum))
            .unwrap_or_default();
        let mismatch = self.first_mismatch(&segment.updates, &mut momentum);
        Some((mismatch, momentum))
    }

    /// Recomputes the updates and returns the position of the first that differs; `None` if all are correct.
    ///
    /// Each task must follow the one before it, and have its version. The first must follow the task that left `momentum`,
    /// unless it resets the momentum.
    pub fn first_mismatch(
        &mut self,
        updates: &[VerifiableUpdate],
        momentum: &mut Momentum,
    ) -> Option<usize> {
        self.computer.swap_momentum(momentum);
        let mismatch = updates.iter().position(|update| {
            let version = update.version.get();
            version
                .expect("a verifiable update has its version")
                .copy_parameters(&mut self.x);
            let images = self
                .data
                .first(update.task.shards.into())
                .expect("verification has the whole training set, and tasks draw from its shards");
            let computed = self.computer.compute(&update.task, &self.x, images);
            update.signs.is_some() && computed != update.signs.as_deref()
        });
        self.computer.swap_momentum(momentum);
        mismatch
    }
}

#[cfg(test)]
mod tests;
