//! A saved run, started or resumed: everything that the coordinator takes over.

use farsign::dataset::{ShardedDataset, hexadecimal};
use farsign::identity::VolunteerIdentity;
use farsign::keys::RunKeys;
use farsign::optimizer::{FarSign, FarSignOptions};

use crate::store::event::{CoordinatorCounters, Event, RunIdentity, TrustRecord};
use crate::store::log::Log;
use crate::store::replay::replay;
use crate::store::state_dir::StateDir;
use crate::store::writer::Writer;
use crate::store::{StoreError, StoreOptions};

/// A run at the end of its log, with the writer of future events.
#[derive(Debug)]
pub struct SavedRun {
    /// The optimizer after the last event, without active volunteers.
    pub optimizer: FarSign,
    /// Keys of the run.
    pub keys: RunKeys,
    /// State that decides future tasks.
    pub counters: CoordinatorCounters,
    /// Events that are not saved yet: all volunteers have left.
    pub unsaved: Vec<Event>,
    /// Trust of volunteers, the least recently changed first.
    pub trust: Vec<(VolunteerIdentity, TrustRecord)>,
    /// The writer of the log.
    pub writer: Writer,
    /// Accepted updates between checkpoints.
    pub checkpoint_every: u64,
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
    /// The writer thread could not be started.
    #[error("could not start the thread that saves the run: {0}")]
    Thread(#[from] std::io::Error),
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
    /// Restores the run at the end of its log. `optimizer` are the options of the log's run. Without a state
    /// directory, no backup is written.
    ///
    /// # Errors
    /// Returns an error if the log cannot be read or the writer thread cannot be started.
    pub fn restore(
        log: Log,
        dir: Option<StateDir>,
        optimizer: FarSignOptions,
        options: StoreOptions,
    ) -> Result<Self, ResumeError> {
        let mut optimizer = replay(&log, optimizer, log.newest_checkpoint()?)?;
        let senders = optimizer.state().senders;
        let left = senders.iter().map(|sender| sender.volunteer);
        left.clone()
            .for_each(|volunteer| optimizer.leave(volunteer));
        let unsaved = left.map(Event::Leave).collect();
        let keys = log.identity().keys;
        let counters = log.counters();
        let trust = log.trust()?;
        let writer = Writer::start(log, dir, options.retention_bytes)?;
        let checkpoint_every = options.checkpoint_every;
        Ok(Self {
            optimizer,
            keys,
            counters,
            unsaved,
            trust,
            writer,
            checkpoint_every,
        })
    }
}
