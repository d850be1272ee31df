//! Replay of saved records, through the code that ran the first time.

use farsign::keys::Key;
use farsign::learner::{Learner, LearnerOptions};
use farsign::optimizer::{FarSignOptions, RestoreError};

use crate::store::StoreError;
use crate::store::run_database::RunDatabase;
use crate::store::saved_values::Checkpoint;

/// A checkpoint that is impossible under the settings of the run. `sequence` is its position.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("its checkpoint {sequence} is not of this run: {source}")]
#[allow(missing_docs)]
pub struct ReplayError {
    pub sequence: u64,
    pub source: RestoreError,
}

/// The options that a run began with. Its keys are in its log.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// Options of the optimizer.
    pub optimizer: FarSignOptions,
    /// Options of the learner.
    pub learner: LearnerOptions,
}

impl ReplayOptions {
    /// Returns the options of the run in a log, which has its own keys.
    #[must_use]
    pub fn for_log(&self, log: &RunDatabase) -> Self {
        let key = log.identity().keys.sampling;
        self.clone().with_sampling_key(key)
    }

    /// Returns the options of a run with this key.
    #[must_use]
    pub fn with_sampling_key(mut self, key: Key) -> Self {
        self.learner.sampling_key = key;
        self
    }

    /// Restores the learner of a checkpoint.
    ///
    /// # Errors
    /// Returns an error if the checkpoint is impossible under these options.
    pub fn restore(&self, checkpoint: Checkpoint) -> Result<Learner, ReplayError> {
        let sequence = checkpoint.position.sequence;
        Learner::from_state(self.optimizer.clone(), self.learner, checkpoint.state)
            .map_err(|source| ReplayError { sequence, source })
    }
}

/// Replays the log from one of its checkpoints to its end.
///
/// # Errors
/// Returns an error if the log cannot be read, or does not continue the checkpoint.
pub fn replay(
    log: &RunDatabase,
    options: &ReplayOptions,
    from: Checkpoint,
) -> Result<Learner, StoreError> {
    let after = from.position.sequence;
    let mut learner = options.for_log(log).restore(from)?;
    log.for_each_record(after, |_, record| {
        learner.take(&record);
        learner.drop_outputs(); // what follows was done when the record came
        Ok(())
    })?;
    Ok(learner)
}
