//! Recomputes updates.

use std::collections::VecDeque;

use super::{ChainSegment, VerifiableUpdate};
use crate::dataset::ShardedDataset;
use crate::momentum::Momentum;
use crate::sign_update::UpdateComputer;
use crate::task::{RunSettings, TaskId};

/// A recomputer of a run's updates.
#[derive(Debug)]
pub struct Recomputer {
    computer: UpdateComputer,
    data: ShardedDataset,
    /// Parameters of the last task's version, `[d]`, in a buffer that is reused.
    x: Vec<f32>,
    momenta: MomentumCache,
}

/// The result of the verification of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedSegment {
    /// Index of the first update that differs. `None` if all are correct.
    pub mismatch: Option<usize>,
    /// Number of updates that were computed, including those that only the momentum needed.
    pub updates: u64,
    /// Their images.
    pub images: u64,
}

impl Recomputer {
    /// Creates a recomputer for a run's settings and training data. It keeps the momentum after each of the last `momenta`
    /// verifications, at least 1, so that the next one of the same chain continues from there.
    pub fn new(settings: RunSettings, data: impl Into<ShardedDataset>, momenta: usize) -> Self {
        Self {
            computer: UpdateComputer::new(settings),
            data: data.into(),
            x: Vec::new(),
            momenta: MomentumCache::new(momenta),
        }
    }

    /// Recomputes a segment. `None` if it [is not verifiable](ChainSegment::is_verifiable).
    pub fn verify(&mut self, segment: &ChainSegment) -> Option<VerifiedSegment> {
        let first = segment.updates.first()?;
        let last = segment.updates.last()?;
        if !segment.is_verifiable() {
            return None;
        }
        let mut momentum = Momentum::default();
        let mut computed = Counted::default();
        let kept = self.momenta.take_before(first.task.id);
        match (kept, segment.verified.get()) {
            _ if !segment.continues => {}
            (Some(kept), _) => momentum = kept,
            (None, None) => return None,
            (None, Some(verified)) => {
                self.first_mismatch(verified, &mut momentum);
                computed.add(verified);
            }
        }
        let mismatch = self.first_mismatch(&segment.updates, &mut momentum);
        let recomputed = mismatch.map_or(segment.updates.len(), |index| index + 1);
        computed.add(&segment.updates[..recomputed]);
        if mismatch.is_none() {
            self.momenta.insert(last.task.id, momentum);
        }
        let Counted { updates, images } = computed;
        Some(VerifiedSegment {
            mismatch,
            updates,
            images,
        })
    }

    /// Recomputes the updates and returns the index of the first that differs; `None` if all are correct.
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

/// A count of computed updates.
#[derive(Default)]
struct Counted {
    updates: u64,
    images: u64,
}

impl Counted {
    fn add(&mut self, computed: &[VerifiableUpdate]) {
        self.updates += computed.len() as u64;
        let images = computed.iter().map(|update| u64::from(update.task.images));
        self.images += images.sum::<u64>();
    }
}

/// The momenta after the newest verifications, by the task of their last update.
#[derive(Debug)]
struct MomentumCache {
    capacity: usize,
    /// The oldest first.
    momenta: VecDeque<(TaskId, Momentum)>,
}

impl MomentumCache {
    fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            momenta: VecDeque::new(),
        }
    }

    /// Keeps a momentum in place of that of an earlier task of the same volunteer.
    fn insert(&mut self, last: TaskId, momentum: Momentum) {
        let is_other = |(other, _): &(TaskId, Momentum)| other.volunteer() != last.volunteer();
        self.momenta.retain(is_other);
        if self.momenta.len() == self.capacity {
            self.momenta.pop_front();
        }
        self.momenta.push_back((last, momentum));
    }

    /// Takes the momentum after the task before this one. `None` if it was not kept.
    fn take_before(&mut self, task: TaskId) -> Option<Momentum> {
        let mut lasts = self.momenta.iter();
        let index = lasts.position(|(last, _)| last.0 + 1 == task.0)?;
        self.momenta.remove(index).map(|(_, momentum)| momentum)
    }
}
