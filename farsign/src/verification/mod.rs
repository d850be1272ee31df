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
//! Every update of a volunteer is sampled with the same probability, unpredictably to the volunteer. The number of updates before the
//! next verified one is drawn at the reset and again after each verification ([`sample_gap`]), so no update is ever
//! safe to falsify. Verifying an update verifies all since the reset. A [`VerificationChain`] records tasks and updates
//! with their parameters, and a [`Recomputer`] continues from where the last verification ended.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::assignment::ResetInterval;
use crate::dataset::ShardedDataset;
use crate::momentum::Momentum;
use crate::sign::SignBits;
use crate::sign_update::UpdateComputer;
use crate::task::{RunSettings, Task, TaskId};
use crate::version::Version;

/// A task with the update that was received for it.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiableUpdate {
    /// The task.
    pub task: Task,
    /// The task's version.
    pub version: Arc<Version>,
    /// The received update. `None` if it was rejected: the task only continues the momentum.
    pub signs: Option<SignBits>,
}

/// Draws the number of updates before the next verified one, from unpredictable `bits`.
///
/// Each update is sampled with `probability`, in `(0, 1]`. `None` if no update is sampled before the next reset.
pub fn sample_gap(probability: f64, bits: u64) -> Option<u32> {
    let unit = (bits >> 11) as f64 / (1u64 << 53) as f64;
    let gap = libm::log(1.0 - unit) / libm::log(1.0 - probability); // geometric; 0 if the probability is 1
    (gap < f64::from(ResetInterval::VERIFIED.max)).then_some(gap as u32)
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

/// A volunteer's updates since the last verification or reset, recorded only if a later one will be verified.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VerificationChain {
    updates: Vec<VerifiableUpdate>,
    /// The task that reset the momentum. `None` before the first task.
    reset: Option<TaskId>,
    /// Momentum before the first recorded update. `None` if that update's task resets it.
    momentum: Option<Arc<Momentum>>,
    /// Number of updates before the verified one. `None` if no update will be verified.
    gap: Option<u32>,
    /// Tasks without an update, in order.
    open: VecDeque<OpenTask>,
}

/// A task without an update.
#[derive(Clone, Debug, PartialEq)]
struct OpenTask {
    task: Task,
    /// The task's version. `None` if no later update will be verified.
    version: Option<Arc<Version>>,
    /// The chain that the task begins. `None` if it begins none.
    begins: Option<ChainStart>,
}

/// The start of a chain, by a task that resets the momentum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainStart {
    /// Number of updates before the verified one. `None` if no update will be verified.
    pub gap: Option<u32>,
}

/// A segment of a chain, to be recomputed.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainSegment {
    /// Updates in task order, at least one.
    pub updates: Vec<VerifiableUpdate>,
    /// Momentum before the first update. `None` if its task resets the momentum.
    pub momentum: Option<Arc<Momentum>>,
    /// The task that began the chain with a reset.
    pub reset: TaskId,
}

/// The outcome of sampling an update.
#[derive(Debug)]
pub enum Sampled {
    /// The update was not sampled.
    No,
    /// The update was sampled: the segment is to be verified.
    Verify(ChainSegment),
    /// The update was sampled but no verification was possible. The next verification before the reset covers it.
    Deferred,
    /// The update was sampled, no verification was possible, and none follows before the reset.
    Skipped,
}

impl VerificationChain {
    /// Returns whether a later update will be verified.
    fn is_recording(&self) -> bool {
        self.gap.is_some()
    }

    /// Records a task issued against a version, and returns whether the version is kept.
    ///
    /// A task that resets the momentum begins a chain. The updates of earlier tasks that are still open belong to the
    /// chain before it.
    pub fn on_task(
        &mut self,
        task: &Task,
        begins: Option<ChainStart>,
        version: &Arc<Version>,
    ) -> bool {
        let newest = self.open.iter().rev().find_map(|open| open.begins);
        let gap = begins.or(newest).map_or(self.gap, |start| start.gap);
        self.open.push_back(OpenTask {
            task: *task,
            version: gap.map(|_| Arc::clone(version)),
            begins,
        });
        gap.is_some()
    }

    /// Stops recording until the next task that resets the momentum, which may be open already.
    pub fn stop(&mut self) {
        self.updates.clear();
        self.momentum = None;
        self.gap = None;
        let continuing = |open: &&mut OpenTask| open.begins.is_none();
        self.open
            .iter_mut()
            .take_while(continuing)
            .for_each(|open| open.version = None);
    }

    /// Stops recording until the next task that is issued and resets the momentum.
    pub fn stop_all(&mut self) {
        self.stop();
        for open in &mut self.open {
            open.version = None;
            open.begins = open.begins.map(|_| ChainStart { gap: None });
        }
    }

    /// Takes the first open task, and begins its chain if it resets the momentum.
    fn take_open(&mut self) -> Option<OpenTask> {
        let open = self.open.pop_front()?;
        if let Some(ChainStart { gap }) = open.begins {
            self.updates.clear();
            self.momentum = None;
            self.reset = Some(open.task.id);
            self.gap = gap;
        }
        Some(open)
    }

    /// Records that the update of the first open task was rejected, after which its volunteer's momentum continues.
    pub fn on_rejected(&mut self) {
        if let Some(OpenTask {
            task,
            version: Some(version),
            ..
        }) = self.take_open()
            && self.is_recording()
        {
            self.updates.push(VerifiableUpdate {
                task,
                version,
                signs: None,
            });
        }
    }

    /// Sets the momentum that the verification of the chain's last segment ended with. Ignored if the chain has been
    /// replaced since, that is if it does not begin with the task `reset`.
    pub fn set_momentum(&mut self, reset: TaskId, momentum: Arc<Momentum>) {
        if self.is_recording() && self.reset == Some(reset) {
            self.momentum = Some(momentum);
        }
    }

    /// Records the update of the first open task.
    ///
    /// If this update was sampled, `next` draws the next gap, and all updates since the last verification are returned,
    /// provided that a verification is possible (`can_verify`).
    pub fn on_update(
        &mut self,
        signs: &SignBits,
        can_verify: bool,
        next: impl FnOnce() -> Option<u32>,
    ) -> Sampled {
        let Some(OpenTask { task, version, .. }) = self.take_open() else {
            return Sampled::No;
        };
        let (Some(gap), Some(version)) = (self.gap, version) else {
            return Sampled::No;
        };
        self.updates.push(VerifiableUpdate {
            task,
            version,
            signs: Some(signs.clone()),
        });
        if gap > 0 {
            self.gap = Some(gap - 1);
            return Sampled::No;
        }
        self.gap = next();
        match (can_verify, self.is_recording()) {
            (true, _) => Sampled::Verify(self.take_segment()),
            (false, true) => Sampled::Deferred,
            (false, false) => Sampled::Skipped,
        }
    }

    fn take_segment(&mut self) -> ChainSegment {
        let updates = std::mem::take(&mut self.updates);
        let reset = self.reset.unwrap_or(updates[0].task.id);
        ChainSegment {
            updates,
            momentum: self.momentum.take(),
            reset,
        }
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
    pub fn verify(&mut self, segment: &ChainSegment) -> (Option<usize>, Momentum) {
        let mut momentum = segment.momentum.as_deref().cloned().unwrap_or_default();
        let mismatch = self.first_mismatch(&segment.updates, &mut momentum);
        (mismatch, momentum)
    }

    /// Recomputes the updates and returns the position of the first that differs; `None` if all are correct.
    ///
    /// Each task must follow the one before it. The first must follow the task that left `momentum`, unless it resets
    /// the momentum.
    pub fn first_mismatch(
        &mut self,
        updates: &[VerifiableUpdate],
        momentum: &mut Momentum,
    ) -> Option<usize> {
        self.computer.swap_momentum(momentum);
        let mismatch = updates.iter().position(|update| {
            update.version.copy_parameters(&mut self.x);
            let images = self
                .data
                .first(update.task.shards.into())
                .expect("verification has the whole training set, and tasks draw from its shards");
            let computed = self.computer.compute(&update.task, &self.x, images);
            update.signs.is_some() && computed != update.signs.as_ref()
        });
        self.computer.swap_momentum(momentum);
        mismatch
    }
}

#[cfg(test)]
mod tests;
