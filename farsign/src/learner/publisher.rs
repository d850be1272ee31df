//! Versions of a learner's model.

use std::sync::Arc;

use super::Learner;
use crate::optimizer::FarSign;
use crate::version::{Grid, GridSchedule, Version};

/// A publisher of a learner's versions. When it publishes, and on which grid, decides no record's effect.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionPublisher {
    grids: GridSchedule,
}

impl VersionPublisher {
    /// Creates a publisher that begins at the current model.
    pub fn new(optimizer: &FarSign) -> Self {
        let accepted = optimizer.accepted();
        let grids = GridSchedule::new(optimizer.x(), accepted, optimizer.step_units());
        Self { grids }
    }

    /// Returns the version of the current model on the current grid.
    pub fn current(&self, learner: &Learner) -> Arc<Version> {
        round(learner, self.grids.shift())
    }

    /// Returns the next version: the current model on the grid that fits it. Its number is the position of the record that
    /// moved the model last.
    ///
    /// The last version of a run has the finest grid, so nothing of the model is lost.
    pub fn publish(&mut self, learner: &Learner) -> Arc<Version> {
        let optimizer = learner.optimizer();
        let accepted = optimizer.accepted();
        let shift = self
            .grids
            .advance(optimizer.x(), accepted, optimizer.active());
        round(learner, if optimizer.is_finished() { 0 } else { shift })
    }
}

/// Rounds the parameters to a grid.
fn round(learner: &Learner, shift: u8) -> Arc<Version> {
    let optimizer = learner.optimizer();
    let grid = Grid {
        fixed_point: optimizer.fixed_point(),
        shift,
    };
    let number = learner.moved_at();
    let accepted = optimizer.accepted();
    Arc::new(Version::round(number, accepted, optimizer.x(), grid))
}
