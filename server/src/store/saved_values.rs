//! The saved values of a run besides its records.

use farsign::keys::RunKeys;
use farsign::learner::{Learner, LearnerOptions, LearnerState};
use farsign::optimizer::{FarSign, FarSignOptions};
use farsign::task::RunSettings;

/// The identity of a run; it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunIdentity {
    /// Seed of everything that volunteers may know.
    pub seed: u64,
    /// Keys of everything that they must not foresee.
    pub keys: RunKeys,
    /// Public id of the run.
    pub run_id: u64,
    /// SHA-256 of the uncompressed training files, images then labels.
    pub train_digest: [u8; 32],
    /// The pinned settings as TOML: every setting that decides the effect of an update, and the data directory.
    pub settings: String,
}

impl RunIdentity {
    /// Creates the identity of a run from its seed, its keys and its pinned settings.
    pub fn new(seed: u64, keys: RunKeys, run: &RunSettings, settings: String) -> Self {
        Self {
            seed,
            keys,
            run_id: run.run_id,
            train_digest: run.train_digest,
            settings,
        }
    }
}

/// A position in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPosition {
    /// Position of the last record, from 1.
    pub sequence: u64,
    /// Bytes of all records so far, deleted ones included.
    pub bytes: u64,
}

/// The whole state of a run at one moment, besides its identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Position in the log, which is that of the state.
    pub position: LogPosition,
    /// State of the learner.
    pub state: LearnerState,
}

impl Checkpoint {
    /// Creates the checkpoint of a run before its first record.
    pub fn initial(optimizer: FarSignOptions, options: LearnerOptions) -> Self {
        Self::of(
            &Learner::new(FarSign::new(optimizer), options),
            LogPosition::default(),
        )
    }

    /// Creates the checkpoint of a learner whose outputs were polled, at the end of a log.
    pub fn of(learner: &Learner, position: LogPosition) -> Self {
        debug_assert_eq!(learner.position(), position.sequence);
        Self {
            position,
            state: learner.state(),
        }
    }

    /// Returns the checkpoint beyond all records that may have come since and are lost, so that no number is used twice.
    #[must_use]
    pub fn after_lost_records(self) -> Self {
        /// Records that a damaged database can have lost, at most.
        const MAX_LOST: u64 = 1 << 32;
        let position = LogPosition {
            sequence: self.position.sequence + MAX_LOST,
            ..self.position
        };
        Self {
            position,
            state: self.state.after_lost_records(MAX_LOST),
        }
    }

    /// Returns the number of accepted updates.
    pub fn accepted(&self) -> u64 {
        self.state.optimizer().accepted
    }
}
