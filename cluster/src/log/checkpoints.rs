//! Checkpoints in an object store.
//!
//! ```text
//!   format 1 | run id 8 | message 8 | hash of that message 32 | state of the learner | SHA-256 of all that 32
//! ```
//!
//! The name of a checkpoint is `MESSAGE-POSITION`: the last message in it, and the position of the last record. A state
//! refers to updates before it; the log is kept from the newest checkpoint that is before all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_nats::jetstream::object_store::ObjectStore;
use async_nats::jetstream::stream::Stream;
use farsign::learner::codec::{read_state, write_state};
use farsign::learner::{Learner, LearnerState, Record};
use farsign::sign::SignBits;
use farsign_server::store::replay::ReplayOptions;
use futures_util::StreamExt;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use crate::ClusterError;
use crate::error::{CheckpointError, failed};
use crate::log::reader::NatsReader;

/// The format that this program writes and reads.
const FORMAT: u8 = 1;

/// Size of the header in bytes.
const HEADER_BYTES: usize = 49;

/// Checkpoints that are kept, besides those where the log begins.
const MIN_CHECKPOINTS: usize = 2;

/// A place in the log: the last message before it, and the position of the last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPlace {
    /// Number of the message.
    pub message: u64,
    /// Position of the record.
    pub position: u64,
}

impl LogPlace {
    fn name(self) -> String {
        format!("{}-{}", self.message, self.position)
    }

    fn from_name(name: &str) -> Option<Self> {
        let (message, position) = name.split_once('-')?;
        Some(Self {
            message: message.parse().ok()?,
            position: position.parse().ok()?,
        })
    }
}

/// The checkpoints of a run.
#[derive(Clone)]
pub struct Checkpoints {
    store: ObjectStore,
    log: Stream,
    run_id: u64,
    /// Bytes of the log that are kept also if no checkpoint needs them.
    retention_bytes: u64,
    /// Places of checkpoints, with where the log begins that each needs. Those that another learner has saved need the log
    /// from the oldest place on.
    places: Arc<Mutex<BTreeMap<LogPlace, LogPlace>>>,
}

impl std::fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkpoints")
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}

/// A state that a learner continues from, and the reader of what comes after it.
#[derive(Debug)]
pub struct Restored {
    /// The state.
    pub state: LearnerState,
    /// Number of the last message in it.
    pub message: u64,
    /// A reader of the messages after it.
    pub reader: NatsReader,
}

impl Restored {
    /// Returns the learner of the state, with the number of its last message and the reader.
    ///
    /// # Errors
    /// Returns an error if the state is impossible under these options.
    pub fn into_learner(
        self,
        options: ReplayOptions,
    ) -> Result<(Learner, u64, NatsReader), ClusterError> {
        let learner = Learner::from_state(options.optimizer, options.learner, self.state);
        let learner = learner.map_err(|error| ClusterError::NoCheckpoint {
            cause: CheckpointError::from(error).to_string(),
        })?;
        Ok((learner, self.message, self.reader))
    }
}

impl Checkpoints {
    /// Opens the checkpoints of a run.
    ///
    /// # Errors
    /// Returns an error if they cannot be listed.
    pub async fn open(
        store: ObjectStore,
        log: Stream,
        run_id: u64,
        retention_bytes: u64,
    ) -> Result<Self, ClusterError> {
        let checkpoints = Self {
            store,
            log,
            run_id,
            retention_bytes,
            places: Arc::default(),
        };
        checkpoints.list().await?;
        Ok(checkpoints)
    }

    /// Lists the checkpoints anew.
    async fn list(&self) -> Result<(), ClusterError> {
        let mut listed = self
            .store
            .list()
            .await
            .map_err(failed("list checkpoints"))?;
        let mut found = Vec::new();
        while let Some(info) = listed.next().await {
            let info = info.map_err(failed("list checkpoints"))?;
            found.extend(LogPlace::from_name(&info.name));
        }
        let oldest = found.iter().min().copied();
        let mut places = self.places.lock();
        places.retain(|place, _| found.contains(place));
        for place in found {
            places.entry(place).or_insert(oldest.unwrap_or(place));
        }
        Ok(())
    }

    /// Saves the state after a message, and deletes what no kept checkpoint needs.
    ///
    /// # Errors
    /// Returns an error if the checkpoint cannot be saved, or the log not be shortened.
    pub async fn save(&self, message: u64, state: &LearnerState) -> Result<(), ClusterError> {
        let hash = if message == 0 {
            [0; 32]
        } else {
            let last = self.log.get_raw_message(message).await;
            Sha256::digest(last.map_err(failed("read the log"))?.payload).into()
        };
        self.put(message, hash, state).await?;
        self.shorten().await
    }

    /// Saves the first state of a run that was moved here: its log begins after a message.
    ///
    /// # Errors
    /// Returns an error if it cannot be saved.
    pub async fn save_first(&self, after: u64, state: &LearnerState) -> Result<(), ClusterError> {
        self.put(after, [0; 32], state).await
    }

    async fn put(
        &self,
        message: u64,
        hash: [u8; 32],
        state: &LearnerState,
    ) -> Result<(), ClusterError> {
        let place = LogPlace {
            message,
            position: state.position(),
        };
        let bytes = write_checkpoint(self.run_id, message, hash, state);
        let name = place.name();
        let put = self.store.put(&*name, &mut &*bytes).await;
        put.map_err(failed("save a checkpoint"))?;
        let mut places = self.places.lock();
        let oldest = state.oldest_reference();
        let is_before = |earlier: &&LogPlace| earlier.position < oldest;
        let begin = places.keys().rev().find(is_before).copied();
        let first = places.values().next().copied();
        places.insert(place, begin.or(first).unwrap_or(place));
        tracing::info!(
            event = "saved",
            log_message = message,
            bytes = bytes.len(),
            "checkpoint saved"
        );
        Ok(())
    }

    /// Deletes old checkpoints, and messages that no kept one needs, if the log is long enough.
    async fn shorten(&self) -> Result<(), ClusterError> {
        let info = self.log.get_info().await.map_err(failed("read the log"))?;
        if info.state.bytes <= self.retention_bytes {
            return Ok(());
        }
        let (deleted, begin) = {
            let places = self.places.lock();
            let excess = places.len().saturating_sub(MIN_CHECKPOINTS);
            let begin = places.values().skip(excess).min().copied();
            let deleted: Vec<LogPlace> = places
                .keys()
                .take(excess)
                .filter(|place| begin.is_some_and(|begin| **place < begin))
                .copied()
                .collect();
            (deleted, begin)
        };
        for place in deleted {
            let removed = self.store.delete(place.name()).await;
            removed.map_err(failed("delete a checkpoint"))?;
            self.places.lock().remove(&place);
        }
        if let Some(begin) = begin.filter(|begin| begin.message > 0) {
            let purge = self.log.purge().sequence(begin.message + 1).await;
            purge.map_err(failed("shorten the log"))?;
        }
        Ok(())
    }

    /// Restores the state of the newest checkpoint that can be read; `initial` before the first one.
    ///
    /// # Errors
    /// Returns an error if none can be read, or the log lacks what it needs.
    pub async fn restore(&self, initial: LearnerState) -> Result<Restored, ClusterError> {
        self.list().await?;
        let places = self.places.lock().clone();
        if places.is_empty() {
            return Ok(Restored {
                state: initial,
                message: 0,
                reader: NatsReader::new(self.log.clone(), self.run_id, 0),
            });
        }
        let mut cause = "there is none".to_owned();
        for (place, begin) in places.into_iter().rev() {
            match self.restore_at(place, begin).await {
                Ok(restored) => return Ok(restored),
                Err(RestoreFailure::Checkpoint(error)) => {
                    cause = format!("checkpoint {}: {error}", place.name());
                    tracing::warn!(
                        event = "checkpoint_skipped",
                        cause,
                        "checkpoint cannot be read"
                    );
                }
                Err(RestoreFailure::Cluster(error)) => return Err(error),
            }
        }
        Err(ClusterError::NoCheckpoint { cause })
    }

    async fn restore_at(
        &self,
        place: LogPlace,
        begin: LogPlace,
    ) -> Result<Restored, RestoreFailure> {
        let bytes = self.get(place).await?;
        let (message, hash, state) = read_checkpoint(self.run_id, &bytes)?;
        let info = self.log.get_info().await.map_err(failed("read the log"))?;
        let found = info.state.last_sequence;
        if found < message {
            return Err(ClusterError::Behind {
                expected: message,
                found,
            }
            .into());
        }
        // The message itself may have been deleted since, with all before it.
        if let Ok(last) = self.log.get_raw_message(message).await
            && <[u8; 32]>::from(Sha256::digest(last.payload)) != hash
        {
            return Err(CheckpointError::OtherLog { number: message }.into());
        }
        let mut needed = BTreeMap::new();
        read_state(state, &mut |position| {
            needed.insert(position, Arc::<SignBits>::default());
            Some(Arc::default())
        })
        .map_err(CheckpointError::from)?;
        let begin = if needed.is_empty() { place } else { begin };
        let mut reader = NatsReader::new(self.log.clone(), self.run_id, begin.message);
        find_signs(&mut reader, begin, message, &mut needed).await?;
        let state = read_state(state, &mut |position| needed.get(&position).cloned())
            .map_err(CheckpointError::from)?;
        Ok(Restored {
            state,
            message,
            reader,
        })
    }

    async fn get(&self, place: LogPlace) -> Result<Vec<u8>, RestoreFailure> {
        let object = self.store.get(place.name()).await;
        let mut object = object.map_err(failed("read a checkpoint"))?;
        let mut bytes = Vec::new();
        let read = object.read_to_end(&mut bytes).await;
        read.map_err(|_| CheckpointError::Checksum)?;
        Ok(bytes)
    }
}

/// Reads the log from where it begins to a message, and keeps the signs at the needed positions.
async fn find_signs(
    reader: &mut NatsReader,
    begin: LogPlace,
    message: u64,
    needed: &mut BTreeMap<u64, Arc<SignBits>>,
) -> Result<(), ClusterError> {
    let mut position = begin.position;
    let mut last = begin.message;
    while last < message {
        for entry in reader.next_message().await? {
            position += 1;
            last = entry.message;
            if let Record::Update {
                signs: Some(signs), ..
            } = entry.record
                && let Some(found) = needed.get_mut(&position)
            {
                *found = signs;
            }
        }
    }
    Ok(())
}

/// The reason for which a checkpoint was not restored.
enum RestoreFailure {
    /// The checkpoint cannot be used; an earlier one may.
    Checkpoint(CheckpointError),
    /// Nothing can be restored.
    Cluster(ClusterError),
}

impl From<CheckpointError> for RestoreFailure {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoint(error)
    }
}

impl From<ClusterError> for RestoreFailure {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

fn write_checkpoint(run_id: u64, message: u64, hash: [u8; 32], state: &LearnerState) -> Vec<u8> {
    let mut out = vec![FORMAT];
    out.extend(run_id.to_le_bytes());
    out.extend(message.to_le_bytes());
    out.extend(hash);
    out.extend(write_state(state));
    let checksum: [u8; 32] = Sha256::digest(&out).into();
    out.extend(checksum);
    out
}

/// Returns the message, its hash and the bytes of the state.
fn read_checkpoint(run_id: u64, bytes: &[u8]) -> Result<(u64, [u8; 32], &[u8]), CheckpointError> {
    let split = bytes.split_last_chunk::<32>();
    let (content, checksum) = split.ok_or(CheckpointError::Checksum)?;
    if content.len() < HEADER_BYTES || <[u8; 32]>::from(Sha256::digest(content)) != *checksum {
        return Err(CheckpointError::Checksum);
    }
    let number = |at: usize| content[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
    if content[0] != FORMAT {
        return Err(CheckpointError::Format {
            expected: FORMAT,
            found: content[0],
        });
    }
    let found = number(1);
    if found != run_id {
        return Err(CheckpointError::OtherRun {
            expected: run_id,
            found,
        });
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(&content[17..HEADER_BYTES]);
    Ok((number(9), hash, &content[HEADER_BYTES..]))
}
