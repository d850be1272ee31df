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
//! Whether an update is sampled follows from its number and a secret key ([`is_sampled`]), and so is decided after the
//! update is accepted: every update of a volunteer has the same probability, and none is ever safe to falsify. Verifying
//! an update verifies all since the reset. A [`VerificationChain`] records tasks and updates with their parameters, and a
//! [`Recomputer`] continues from where the last verification ended.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::assignment::ResetInterval;
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
    /// The task.
    pub task: Task,
    /// The task's version.
    pub version: Arc<Version>,
    /// The received update. `None` if it was rejected: the task only continues the momentum.
    pub signs: Option<Arc<SignBits>>,
}

/// Returns whether update number `update` of a run is verified, if each is with `probability`, in `(0, 1]`.
pub fn is_sampled(key: &Key, update: u64, probability: f64) -> bool {
    let [word] = key.words(Purpose::Sampling, update);
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
    /// Momentum before the first recorded update. `None` if that update's task resets it.
    momentum: Option<Arc<Momentum>>,
    /// Whether updates are recorded until the next reset.
    is_recording: bool,
    /// Whether one of the updates was sampled.
    has_sampled: bool,
    /// Tasks without an update, in order.
    open: VecDeque<OpenTask>,
}

/// A task without an update.
#[derive(Clone, Debug, PartialEq)]
struct OpenTask {
    task: Task,
    /// The task's version. `None` if its update is not recorded.
    version: Option<Arc<Version>>,
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
    /// Records a task issued against a version, and returns whether the version is kept.
    ///
    /// A task that resets the momentum begins a chain. The updates of earlier tasks that are still open belong to the
    /// chain before it.
    pub fn on_task(&mut self, task: &Task, version: &Arc<Version>) -> bool {
        let newest = self
            .open
            .back()
            .map_or(self.is_recording, |open| open.version.is_some());
        let is_recorded = task.reset_momentum || newest;
        self.open.push_back(OpenTask {
            task: *task,
            version: is_recorded.then(|| Arc::clone(version)),
        });
        is_recorded
    }

    /// Stops recording until the next task that resets the momentum, which may be open already.
    pub fn stop(&mut self) {
        self.clear();
        self.is_recording = false;
        let continuing = |open: &&mut OpenTask| !open.task.reset_momentum;
        self.open
            .iter_mut()
            .take_while(continuing)
            .for_each(|open| open.version = None);
    }

    /// Stops recording until the next task that is issued and resets the momentum.
    pub fn stop_all(&mut self) {
        self.stop();
        self.open.iter_mut().for_each(|open| open.version = None);
    }

    fn clear(&mut self) {
        self.updates.clear();
        self.momentum = None;
        self.has_sampled = false;
    }

    /// Adds the first open task, with its update unless that was rejected. A task that resets the momentum begins its
    /// chain.
    fn push(&mut self, signs: Option<Arc<SignBits>>) -> Lost {
        let Some(OpenTask { task, version }) = self.open.pop_front() else {
            return Lost::No;
        };
        let mut lost = Lost::No;
        if task.reset_momentum {
            if self.has_sampled {
                lost = Lost::Sampled;
            }
            self.clear();
            self.reset = Some(task.id);
            self.is_recording = version.is_some();
        }
        if let Some(version) = version.filter(|_| self.is_recording) {
            self.updates.push(VerifiableUpdate {
                task,
                version,
                signs,
            });
        }
        lost
    }

    /// Records that the update of the first open task was rejected, after which its volunteer's momentum continues.
    pub fn on_rejected(&mut self) -> Lost {
        self.push(None)
    }

    /// Records the update of the first open task, and whether it was sampled.
    pub fn on_update(&mut self, signs: &Arc<SignBits>, is_sampled: bool) -> Lost {
        let lost = self.push(Some(Arc::clone(signs)));
        self.has_sampled |= is_sampled && self.is_recording;
        lost
    }

    /// Sets the momentum that the verification of the chain's last segment ended with. Ignored if the chain has been
    /// replaced since, that is if it does not begin with the task `reset`.
    pub fn set_momentum(&mut self, reset: TaskId, momentum: Arc<Momentum>) {
        if self.is_recording && self.reset == Some(reset) {
            self.momentum = Some(momentum);
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
            momentum: self.momentum.take(),
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
            update.signs.is_some() && computed != update.signs.as_deref()
        });
        self.computer.swap_momentum(momentum);
        mismatch
    }
}

#[cfg(test)]
mod tests;
