//! The saved run: acknowledged updates survive crashes of the process and of the machine.
//!
//! ```text
//!   gateway, verifier --records--> writer (one thread) --one transaction--> database (redb)     run.redb
//!        ^                           ^  |                                                       rescue (backup)
//!        +-- durable, or failed -----+--+--durable records--> learner
//!                                    +------periodic checkpoint; old records are deleted
//! ```
//!
//! The log holds every record of the run, in order, and periodic checkpoints of the learner's whole state. A state at any
//! moment is a checkpoint plus the records since, replayed by the code that ran the first time: bit-identical.
//!
//! In reading order: [`saved_values`], [`codec`] (their bytes), [`run_database`], [`replay`] (back to a learner), [`state_dir`] (files and locks), [`writer`] (the thread), [`saved_run`] (started or resumed),
//! [`unlearn`] (without one volunteer). docs/durability.md specifies the guarantees.

pub mod codec;
pub mod replay;
pub mod run_database;
pub mod saved_run;
pub mod saved_values;
pub mod state_dir;
pub mod unlearn;
pub mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::store::codec::SavedValueError;
use crate::store::replay::ReplayError;

/// Options of the saved run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Accepted updates between checkpoints, at least 1.
    pub checkpoint_every: u64,
    /// Bytes of records and checkpoints to keep. Two checkpoints and the records that they need always stay.
    pub retention_bytes: u64,
}

/// An error of the saved run.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the lock of the state directory.
    #[error("expected {} for this program alone, found it in use by another one", dir.display())]
    #[allow(missing_docs)]
    InUse { dir: PathBuf },
    /// A file operation failed.
    #[error("could not {action} {}: {source}", path.display())]
    #[allow(missing_docs)]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The state directory has no run.
    #[error("expected a saved run in {}, found none", dir.display())]
    #[allow(missing_docs)]
    NotFound { dir: PathBuf },
    /// The database is damaged.
    #[error("the saved run is damaged: {0}")]
    Damaged(String),
    /// The database cannot be read or written, without evidence of damage.
    #[error("the saved run could not be read or written: {0}")]
    Database(#[from] redb::Error),
    /// A value in the database is invalid.
    #[error("the saved run is damaged: {0}")]
    Value(#[from] SavedValueError),
    /// The records do not continue the checkpoint.
    #[error("the saved run is damaged: {0}")]
    Replay(#[from] ReplayError),
    /// An append failed. All appends of its transaction have this error.
    #[error("{0}")]
    Failed(Arc<StoreError>),
    /// A checkpoint is not of a state between two transactions.
    #[error("expected a checkpoint after a transaction, found one at position {position}")]
    #[allow(missing_docs)]
    NoTransaction { position: u64 },
    /// The writer thread has ended.
    #[error("the thread that saves the run has ended")]
    WriterStopped,
}

impl StoreError {
    /// Returns whether the file is damaged, so that a retry is pointless.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Replay(_) => true,
            Self::Value(error) => !error.is_other_version(),
            Self::Failed(error) => error.is_damage(),
            _ => false,
        }
    }

    fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// Converts an error of the database, and separates damage from other failures.
fn database_error(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(cause) => StoreError::Damaged(cause),
        redb::Error::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            StoreError::Damaged(error.to_string())
        }
        error @ (redb::Error::TableDoesNotExist(_) | redb::Error::TableTypeMismatch { .. }) => {
            StoreError::Damaged(error.to_string())
        }
        error => StoreError::Database(error),
    }
}
