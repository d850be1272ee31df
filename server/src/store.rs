//! A run on disk: whoever was told "accepted" stays so, also when the process or the machine stops without warning.
//!
//! ```text
//!   coordinator --events of a batch--> writer (one thread) --one transaction--> log (redb)     run.redb
//!        ^                                |                                                    rescue
//!        +------- saved, or not ----------+--now and then a checkpoint, and what is old goes
//! ```
//!
//! What is saved is every event that changed the optimizer, in order, and now and then its whole state. The state at any
//! moment is a checkpoint and the events since, put through the same code that ran the first time: the same bits.
//!
//! In reading order: [`event`] (what is saved), [`record`] (its bytes), [`log`] (the database), [`replay`] (back to an
//! optimizer), [`folder`] (files and locks), [`writer`] (the thread), [`run`] (started or resumed), [`evict`] (without one
//! volunteer). docs/durability.md says what is promised.

pub mod event;
pub mod evict;
pub mod folder;
pub mod log;
pub mod record;
pub mod replay;
pub mod run;
pub mod writer;

use std::io;
use std::path::PathBuf;

use record::RecordError;
use replay::ReplayError;

/// How much is saved, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Accepted contributions from one checkpoint to the next, at least 1.
    pub checkpoint_every: u64,
    /// Bytes of events and checkpoints that are kept; two checkpoints and the events since the older stay in any case.
    pub retention_bytes: u64,
}

/// Why a run could not be saved, or not be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the folder.
    #[error("expected {} for this program alone, found it in use by another one", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// The system refuses.
    #[error("could not {what} {}: {source}", path.display())]
    Files {
        /// What was tried.
        what: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no run where one was expected.
    #[error("expected a saved run in {}, found none", folder.display())]
    Nothing {
        /// The folder.
        folder: PathBuf,
    },
    /// The database is not as it was written.
    #[error("the saved run is damaged: {0}")]
    Damaged(String),
    /// The database cannot be read or written, although nothing says that it is damaged.
    #[error("the saved run could not be read or written: {0}")]
    Database(#[from] redb::Error),
    /// A record of the database is none.
    #[error("the saved run is damaged: {0}")]
    Record(#[from] RecordError),
    /// The events do not lead on from the checkpoint.
    #[error("the saved run is damaged: {0}")]
    Replay(#[from] ReplayError),
    /// The writer has ended.
    #[error("the thread that saves the run has ended")]
    WriterGone,
}

impl StoreError {
    /// Whether the file is at fault rather than the system; what is damaged stays so when it is tried again.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Replay(_) => true,
            Self::Record(error) => !matches!(error, RecordError::Format { .. }),
            _ => false,
        }
    }

    fn files(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Files { what, path, source }
    }
}

/// Every error of the database, told apart by whether the file is at fault.
fn database_error(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(why) => StoreError::Damaged(why),
        redb::Error::Io(error)
            if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            StoreError::Damaged(error.to_string())
        }
        error @ (redb::Error::TableDoesNotExist(_) | redb::Error::TableTypeMismatch { .. }) => {
            StoreError::Damaged(error.to_string())
        }
        error => StoreError::Database(error),
    }
}
