//! The state of a training server, to save it or to hand it over.

use std::sync::Arc;

use super::{TrainingOptions, TrainingServer};
use crate::identity::VolunteerIdentity;
use crate::learner::{Learner, LearnerState, TrustRecord};
use crate::optimizer::{FarSign, FarSignOptions, RestoreError};
use crate::task_issuer::TaskIssuerState;
use crate::trust::TrustMean;
use crate::version::{Grid, GridSchedule, Version};

/// Counters that decide the tasks to come, besides the optimizer. No number is used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrainingCounters {
    /// Position of the newest record.
    pub position: u64,
    /// Number of the newest published version.
    pub version: u64,
    /// Running mean of the senders' trust.
    pub trust_mean: TrustMean,
}

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
    /// Resumes a saved run without connected volunteers. `trust` comes in the order in which the records changed.
    pub fn resume(
        optimizer: FarSign,
        options: TrainingOptions,
        counters: TrainingCounters,
        trust: impl IntoIterator<Item = (VolunteerIdentity, TrustRecord)>,
    ) -> Self {
        let TrainingCounters {
            position,
            version,
            trust_mean,
        } = counters;
        let accepted = optimizer.accepted();
        let grids = GridSchedule::new(optimizer.x(), accepted, optimizer.step_units());
        Self {
            issuer: options.issuer(),
            version: Arc::new(round(&optimizer, version, grids.shift())),
            grids,
            learner: Learner::resume(optimizer, options.learner(), position, trust_mean, trust),
        }
    }

    /// Returns the counters that decide the tasks to come.
    pub fn counters(&self) -> TrainingCounters {
        TrainingCounters {
            position: self.learner.position(),
            version: self.version.number(),
            trust_mean: self.learner.trust_mean(),
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
