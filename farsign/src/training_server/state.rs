//! The state of a training server, to save it or to hand it over.

use std::sync::Arc;

use super::{TrainingOptions, TrainingServer};
use crate::learner::{Learner, LearnerState, VersionPublisher};
use crate::optimizer::{FarSignOptions, RestoreError};
use crate::task_issuer::TaskIssuerState;
use crate::version::Version;

/// The whole in-memory state of a training server: with its options, everything that decides further outcomes.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    pub(super) learner: LearnerState,
    issuer: TaskIssuerState,
    /// The newest published version.
    version: Arc<Version>,
    publisher: VersionPublisher,
}

impl TrainingServer {
    /// Continues a run whose learner has no connected volunteers.
    pub fn resume(learner: Learner, options: TrainingOptions) -> Self {
        let publisher = VersionPublisher::new(learner.optimizer());
        Self {
            issuer: options.issuer(),
            version: publisher.current(&learner),
            publisher,
            learner,
        }
    }

    /// Takes the state out of the server.
    pub fn into_state(self) -> TrainingState {
        TrainingState {
            learner: self.learner.into_state(),
            issuer: self.issuer.into_state(),
            version: self.version,
            publisher: self.publisher,
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
            publisher: state.publisher,
        })
    }
}
