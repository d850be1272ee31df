//! A saved run, started or resumed: everything that the coordinator takes over.

use std::sync::Arc;

use farsign::dataset::{ShardedDataset, hexadecimal};
use farsign::keys::RunKeys;
use farsign::learner::{Learner, Record};

use crate::store::replay::{ReplayOptions, replay};
use crate::store::run_database::RunDatabase;
use crate::store::saved_values::RunIdentity;
use crate::store::state_dir::StateDir;
use crate::store::writer::WriterOptions;
use crate::store::{StoreError, StoreOptions};

/// A run at the end of its log, with the database for future records.
#[derive(Debug)]
pub struct SavedRun {
    /// The learner after the last record: all sessions have ended.
    pub learner: Learner,
    /// Keys of the run.
    pub keys: RunKeys,
    /// Accepted updates between checkpoints.
    pub checkpoint_every: u64,
    /// What the writer of the run writes to.
    pub writer: WriterOptions,
}

/// An error that prevents a run from being resumed.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The run cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data is not that of the run. Digests are in hexadecimal.
    #[error(
        "expected the training data of the saved run, with digest {expected}, found data with digest {found}; --data \
         names its folder"
    )]
    #[allow(missing_docs)]
    DatasetMismatch { expected: String, found: String },
}

/// Checks that the data is that of the run.
///
/// # Errors
/// Returns an error if the digests differ.
pub fn verify_dataset(identity: &RunIdentity, train: &ShardedDataset) -> Result<(), ResumeError> {
    let expected = identity.train_digest;
    let found = train.digest();
    if expected == found {
        return Ok(());
    }
    Err(ResumeError::DatasetMismatch {
        expected: hexadecimal(expected),
        found: hexadecimal(found),
    })
}

impl SavedRun {
    /// Restores the run at the end of its log. The optimizer's options are those of the log's run; the learner's
    /// probability of verification may be another than before. Without a state directory, no backup is written.
    ///
    /// # Errors
    /// Returns an error if the log cannot be read or written.
    pub fn restore(
        log: RunDatabase,
        dir: Option<StateDir>,
        replay_options: &ReplayOptions,
        options: StoreOptions,
    ) -> Result<Self, ResumeError> {
        let mut learner = replay(&log, replay_options, log.newest_checkpoint()?)?;
        learner.end_sessions();
        let current = replay_options.learner.verify_probability;
        if let Some(probability) = current.filter(|_| current != learner.verify_probability()) {
            learner.set_verify_probability(probability);
        }
        let ended: Vec<Record> = std::iter::from_fn(|| learner.poll_record()).collect();
        learner.drop_outputs(); // their sessions have ended
        let mut database = log;
        if !ended.is_empty() {
            database.append(&ended)?;
        }
        Ok(Self {
            learner,
            keys: database.identity().keys,
            checkpoint_every: options.checkpoint_every,
            writer: WriterOptions {
                database,
                dir,
                retention_bytes: options.retention_bytes,
                counters: Arc::default(),
            },
        })
    }
}
