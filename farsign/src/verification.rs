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

use std::sync::Arc;

use crate::assignment::ResetInterval;
use crate::dataset::ShardedDataset;
use crate::momentum::Momentum;
use crate::sign::SignBits;
use crate::sign_update::UpdateComputer;
use crate::task::{RunSettings, Task, TaskId};

/// A task with the update that was received for it.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiableUpdate {
    /// The task.
    pub task: Task,
    /// Parameters of the task's snapshot, `[d]`, as sent to the volunteer.
    pub x: Arc<[f32]>,
    /// The received update.
    pub signs: SignBits,
}

/// Draws the number of updates before the next verified one, from unpredictable `bits`.
///
/// Each update is sampled with `probability`, in `(0, 1]`. `None` if no update is sampled before the next reset.
pub fn sample_gap(probability: f64, bits: u64) -> Option<u32> {
    let unit = (bits >> 11) as f64 / (1u64 << 53) as f64;
    let gap = libm::log(1.0 - unit) / libm::log(1.0 - probability); // geometric; 0 if the probability is 1
    (gap < f64::from(ResetInterval::VERIFIED.max)).then_some(gap as u32)
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
    open: Option<(Task, Arc<[f32]>)>,
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
    /// Creates the chain after a reset, with `gap` updates before the verified one.
    pub fn after(gap: Option<u32>) -> Self {
        Self {
            gap,
            ..Self::default()
        }
    }

    /// Returns whether a later update will be verified.
    pub fn is_recording(&self) -> bool {
        self.gap.is_some()
    }

    /// Records a task issued against the parameters `x`, `[d]`. A task that is still open has no update.
    pub fn on_task(&mut self, task: &Task, x: Arc<[f32]>) {
        self.reset.get_or_insert(task.id);
        self.open = self.is_recording().then_some((*task, x));
    }

    /// Sets the momentum that the verification of the chain's last segment ended with. Ignored if the chain has been
    /// replaced since, that is if it does not begin with the task `reset`.
    pub fn set_momentum(&mut self, reset: TaskId, momentum: Arc<Momentum>) {
        if self.is_recording() && self.reset == Some(reset) {
            self.momentum = Some(momentum);
        }
    }

    /// Records the update of the open task.
    ///
    /// If this update was sampled, `next` draws the next gap, and all updates since the last verification are returned,
    /// provided that a verification is possible (`can_verify`).
    pub fn on_update(
        &mut self,
        signs: &SignBits,
        can_verify: bool,
        next: impl FnOnce() -> Option<u32>,
    ) -> Sampled {
        let (Some(gap), Some((task, x))) = (self.gap, self.open.take()) else {
            return Sampled::No;
        };
        self.updates.push(VerifiableUpdate {
            task,
            x,
            signs: signs.clone(),
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
}

impl Recomputer {
    /// Creates a recomputer for a run's settings and training data.
    pub fn new(settings: RunSettings, data: impl Into<ShardedDataset>) -> Self {
        Self {
            computer: UpdateComputer::new(settings),
            data: data.into(),
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
            let images = self
                .data
                .all()
                .expect("verification has the whole training set");
            self.computer.compute(&update.task, &update.x, images) != Some(&update.signs)
        });
        self.computer.swap_momentum(momentum);
        mismatch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;
    use crate::task::TaskId;

    #[test]
    fn updates_are_sampled_uniformly() {
        let mut stream = Stream::new(5);
        let gaps: Vec<_> = (0..100_000)
            .map(|_| sample_gap(0.1, stream.bits()))
            .collect();
        // At every position, a tenth of the gaps that reach it end there.
        for position in 0..12 {
            let later = gaps
                .iter()
                .filter(|p| p.is_none_or(|p| p >= position))
                .count() as f64;
            let here = gaps.iter().filter(|p| **p == Some(position)).count() as f64;
            assert!(
                (here / later - 0.1).abs() < 0.01,
                "seed 5, position {position}: {here} of {later}"
            );
        }
        assert_eq!(sample_gap(1.0, u64::MAX), Some(0));
        assert_eq!(sample_gap(1.0, 0), Some(0));
    }

    fn task(n: u64) -> Task {
        Task {
            id: TaskId(n),
            snapshot_version: n,
            minibatch_seed: 0,
            direction_seed: 0,
            coin_seed: 0,
            reset_momentum: n == 1,
        }
    }

    /// The tasks of the segment that each update returns.
    fn segments(
        chain: &mut VerificationChain,
        tasks: std::ops::RangeInclusive<u64>,
        can_verify: impl Fn(u64) -> bool,
        mut next: impl FnMut() -> Option<u32>,
    ) -> Vec<Vec<u64>> {
        let segment = |n| {
            chain.on_task(&task(n), Arc::from([0.5f32]));
            match chain.on_update(&SignBits::default(), can_verify(n), &mut next) {
                Sampled::Verify(segment) => segment
                    .updates
                    .iter()
                    .map(|update| update.task.id.0)
                    .collect(),
                Sampled::No | Sampled::Deferred | Sampled::Skipped => Vec::new(),
            }
        };
        tasks.map(segment).collect()
    }

    #[test]
    fn chain_returns_each_update_once() {
        let mut chain = VerificationChain::after(Some(2));
        let mut next = [Some(1), None].into_iter();
        let segments = segments(&mut chain, 1..=7, |_| true, || next.next().unwrap());
        assert_eq!(
            segments,
            [
                vec![],
                vec![],
                vec![1, 2, 3],
                vec![],
                vec![4, 5],
                vec![],
                vec![]
            ]
        );
        assert!(!chain.is_recording());
    }

    #[test]
    fn deferred_update_is_verified_later() {
        let mut chain = VerificationChain::after(Some(0));
        let segments = segments(&mut chain, 1..=4, |n| n != 1 && n != 2, || Some(0));
        assert_eq!(segments, [vec![], vec![], vec![1, 2, 3], vec![4]]);
    }

    #[test]
    fn attack_between_resets_is_detected() {
        let mut stream = Stream::new(8);
        for probability in [0.02, 0.12, 0.5, 1.0] {
            // Number of intervals of twelve in which the update at each position is recomputed.
            let mut covered = [0u32; 12];
            for _ in 0..20_000 {
                let mut chain = VerificationChain::after(sample_gap(probability, stream.bits()));
                let next = || sample_gap(probability, stream.bits());
                let segments = segments(&mut chain, 1..=12, |_| true, next);
                segments
                    .into_iter()
                    .flatten()
                    .for_each(|n| covered[n as usize - 1] += 1);
            }
            for (position, covered) in covered.into_iter().enumerate() {
                let chances = 12 - position as i32; // updates whose sampling covers this position
                let expected = 1.0 - libm::pow(1.0 - probability, f64::from(chances));
                let found = f64::from(covered) / 20_000.0;
                assert!(
                    (found - expected).abs() < 0.02,
                    "seed 8, {probability}, {position}: {found}, not {expected}"
                );
            }
        }
    }
}
