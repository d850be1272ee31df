//! A run that is saved as it goes, started or resumed: all that the coordinator takes over.

use std::sync::Arc;

use farsign::dataset::{Dataset, hexadecimal};
use farsign::optimizer::FarSign;
use farsign::trust::TrustMean;

use super::StoreError;
use super::event::{Checkpoint, Credit, Cursor, Event, Head, Identity};
use super::folder::Folder;
use super::log::Log;
use super::replay::replay;
use super::writer::Writer;
use crate::admission;
use crate::config::Config;
use crate::seeds::RunSeeds;

/// An optimizer where the log ends, and the way to save what comes.
#[derive(Debug)]
pub struct SavedRun {
    /// As it was when the last event was saved, but nobody is there any more.
    pub optimizer: FarSign,
    /// What decides the tasks to come.
    pub cursor: Cursor,
    /// What has happened to the optimizer and is not saved yet: everybody has left.
    pub unsaved: Vec<Event>,
    /// What volunteers have earned; whose credit changed longest ago comes first.
    pub credits: Vec<(admission::identity::Identity, Credit)>,
    /// Saves.
    pub writer: Writer,
    /// Accepted contributions from one checkpoint to the next.
    pub checkpoint_every: u64,
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data is not what the run was trained on.
    #[error(
        "expected the training data of the saved run, with digest {expected}, found data with digest {found}; --data \
         names its folder"
    )]
    OtherData {
        /// Digest of the run's data, in hexadecimal.
        expected: String,
        /// Digest of the data at hand.
        found: String,
    },
    /// The system gives no thread.
    #[error("could not start the thread that saves the run: {0}")]
    Thread(#[from] std::io::Error),
}

/// What a run with this configuration is.
pub fn identity(config: &Config) -> Identity {
    Identity {
        seed: config.seed,
        run_id: config.seeds.run_id,
        train_digest: config.run.train_digest,
        settings: config.binding().to_toml(),
    }
}

/// A run before its first contribution.
pub fn beginning(config: &Config) -> Checkpoint {
    let RunSeeds { tasks, .. } = &config.seeds;
    let cursor =
        Cursor { trust_mean: TrustMean::default().0, words_drawn: tasks.get_word_pos(), ..Cursor::default() };
    Checkpoint { head: Head::default(), cursor, state: FarSign::new(config.optimizer()).state() }
}

/// Refuses data that the run was not trained on.
///
/// # Errors
/// When it is other data.
pub fn check_data(identity: &Identity, train: &Arc<Dataset>) -> Result<(), ResumeError> {
    let (expected, found) = (identity.train_digest, train.digest());
    if expected == found {
        return Ok(());
    }
    Err(ResumeError::OtherData { expected: hexadecimal(expected), found: hexadecimal(found) })
}

impl SavedRun {
    /// Goes on where the log ends. `config` is that of the log's identity. Without a folder, no checkpoint is written
    /// beside the log.
    ///
    /// # Errors
    /// When the log cannot be read, or the system gives no thread.
    pub fn resume(log: Log, folder: Option<Folder>, config: &Config) -> Result<Self, ResumeError> {
        let mut optimizer = replay(&log, config.optimizer(), log.newest_checkpoint()?)?;
        let members = optimizer.state().members;
        let left = members.iter().map(|member| member.volunteer);
        left.clone().for_each(|volunteer| optimizer.leave(volunteer));
        let unsaved = left.map(Event::Leave).collect();
        let (cursor, credits) = (log.cursor(), log.credits()?);
        let writer = Writer::start(log, folder, config.store.retention_bytes)?;
        let checkpoint_every = config.store.checkpoint_every;
        Ok(Self { optimizer, cursor, unsaved, credits, writer, checkpoint_every })
    }
}
