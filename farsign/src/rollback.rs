//! Rollback of a volunteer's recent updates after it failed verification.
//!
//! ```text
//!   roll back   x <- x + fraction_j alpha_n w_i A's     for its unverified updates, newest first
//!   fraction_0 = 1,  fraction_(j+1) = .9 fraction_j
//! ```
//!
//! Verified updates stay. Older updates are rolled back in part only: late in the training the model has already
//! compensated for them, and reverting them in full would do harm.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sign::SignBits;
use crate::step::Step;
use crate::task::TaskId;

/// Number of a volunteer's updates that can be rolled back.
pub const MAX_UNVERIFIED_UPDATES: usize = 16;

/// Decrease of the fraction that is rolled back, per later update.
pub const DECAY: f32 = 0.1;

/// A volunteer's latest unverified updates, as the steps they led to, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnverifiedUpdates(VecDeque<UnverifiedUpdate>);

/// The step that an update led to.
#[derive(Clone, Debug, PartialEq)]
pub struct UnverifiedUpdate {
    /// Position of the update's record in the run.
    pub position: u64,
    /// The task of the update.
    pub task: TaskId,
    /// Seed of the step's directions.
    pub direction_seed: u64,
    /// Scale of the step.
    pub scale: f32,
    /// Signs of the step, which are shared with the update, unless other votes changed them.
    pub signs: Arc<SignBits>,
}

impl FromIterator<UnverifiedUpdate> for UnverifiedUpdates {
    /// Collects updates, newest first.
    fn from_iter<T: IntoIterator<Item = UnverifiedUpdate>>(updates: T) -> Self {
        Self(updates.into_iter().take(MAX_UNVERIFIED_UPDATES).collect())
    }
}

impl UnverifiedUpdates {
    /// Records the step that the update `signs` of `task` led to. The oldest is dropped above the limit.
    pub fn push(&mut self, position: u64, task: TaskId, signs: &Arc<SignBits>, step: &Step) {
        let signs = if step.signs == **signs {
            Arc::clone(signs)
        } else {
            Arc::new(step.signs.clone())
        };
        self.0.truncate(MAX_UNVERIFIED_UPDATES - 1);
        self.0.push_front(UnverifiedUpdate {
            position,
            task,
            direction_seed: step.direction_seed,
            scale: step.scale,
            signs,
        });
    }

    /// Removes the updates up to and including that of task `last`, which passed verification.
    pub fn mark_verified(&mut self, last: TaskId) {
        self.0.retain(|update| update.task > last);
    }

    /// Forgets the updates up to a position.
    pub fn forget(&mut self, position: u64) {
        self.0.retain(|update| update.position > position);
    }

    /// Returns the updates, newest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &UnverifiedUpdate> {
        self.0.iter()
    }

    /// Returns the steps that roll these updates back, newest first: the newest in full, older ones in part.
    pub fn rollback_steps(&self) -> impl Iterator<Item = Step> + '_ {
        let mut fraction = 1.0;
        self.0.iter().map(move |update| {
            let reverse = Step {
                direction_seed: update.direction_seed,
                scale: -fraction * update.scale,
                signs: (*update.signs).clone(),
            };
            fraction *= 1.0 - DECAY;
            reverse
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn updates(count: u64) -> UnverifiedUpdates {
        let mut updates = UnverifiedUpdates::default();
        (1..=count).for_each(|n| {
            updates.push(
                n,
                TaskId(n),
                &Arc::default(),
                &Step {
                    scale: n as f32,
                    ..Step::default()
                },
            );
        });
        updates
    }

    fn scales(updates: &UnverifiedUpdates) -> Vec<f32> {
        updates.rollback_steps().map(|step| step.scale).collect()
    }

    #[test]
    fn rollback_starts_with_newest_and_decays() {
        let scales = scales(&updates(20));
        assert_eq!(scales.len(), MAX_UNVERIFIED_UPDATES);
        assert_eq!(scales[..2], [-20.0, -(1.0 - DECAY) * 19.0]);
    }

    #[test]
    fn verified_updates_are_not_rolled_back() {
        let mut updates = updates(5);
        updates.mark_verified(TaskId(4));
        assert_eq!(scales(&updates), [-5.0]);
    }

    #[test]
    fn forgotten_updates_are_not_rolled_back() {
        let mut updates = updates(5);
        updates.forget(3);
        assert!(updates.iter().map(|update| update.position).eq([5, 4]));
        assert_eq!(scales(&updates).len(), 2);
    }
}
