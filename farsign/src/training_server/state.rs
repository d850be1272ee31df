//! The state of a training server, to save it or to hand it over.

use std::sync::Arc;

use super::{TrainingOptions, TrainingServer};
use crate::learner::{Learner, LearnerState};
use crate::optimizer::{FarSign, FarSignOptions, RestoreError};
use crate::task_issuer::TaskIssuerState;
use crate::version::{Grid, GridSchedule, Version};

/// The whole in-memory state of a training server: with its options, everything that decides further outcomes.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    pub(super) learner: LearnerState,
    issuer: TaskIssuerState,
    /// The newest published version.
    version: Arc<Version>,
    grids: GridSchedule,
}

impl TrainingServer {
    /// Continues a run whose learner has no connected volunteers, and whose newest version has this number.
    pub fn resume(learner: Learner, options: TrainingOptions, version: u64) -> Self {
        let optimizer = learner.optimizer();
        let accepted = optimizer.accepted();
        let grids = GridSchedule::new(optimizer.x(), accepted, optimizer.step_units());
        Self {
            issuer: options.issuer(),
            version: Arc::new(round(optimizer, version, grids.shift())),
            grids,
            learner,
        }
    }

    /// Takes the state out of the server.
    pub fn into_state(self) -> TrainingState {
        TrainingState {
            learner: self.learner.into_state(),
            issuer: self.issuer.into_state(),
            version: self.version,
            grids: self.grids,
        }
    }

    /// Creates a server that continues from a state, bit for bit. `optimizer` are the options that the run began with.
    ///
    /// # Errors
    /// Returns an error if the state cannot be that of a server with these options.
    pub fn from_state(
        optimizer: FarSignOptions,
        options: TrainingOptions,
        state: TrainingState,
    ) -> Result<Self, RestoreError> {
        Ok(Self {
            learner: Learner::from_state(optimizer, options.learner(), state.learner)?,
            issuer: options.issuer().with_state(state.issuer),
            version: state.version,
            grids: state.grids,
        })
    }
}

/// Rounds the optimizer's parameters to a grid.
pub(super) fn round(optimizer: &FarSign, number: u64, shift: u8) -> Version {
    let grid = Grid {
        fixed_point: optimizer.fixed_point(),
        shift,
    };
    Version::round(number, optimizer.accepted(), optimizer.x(), grid)
}
