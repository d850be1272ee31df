//! The database of a run.
//!
//! ```text
//!   table         key                        value (see `codec`)
//!   identity      ()                         identity of the run; never changes
//!   position      ()                         current position: written with every batch of records
//!   records       position, from 1           one record of the run
//!   checkpoints   position of the last       the whole state after it
//!                 record in it
//! ```
//!
//! Every state since the oldest checkpoint can be computed: the records after it are there, and those before it to which
//! its unverified updates refer. When the log exceeds its retention, the oldest checkpoint is deleted together with the
//! records that no other one needs.

use std::collections::VecDeque;
use std::sync::Arc;

use farsign::learner::Record;
use farsign::learner::codec::{read_record, write_record};
use farsign::sign::SignBits;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::store::codec::SavedValueError;
use crate::store::saved_values::{Checkpoint, LogPosition, RunIdentity};
use crate::store::{StoreError, codec, database_error};

const IDENTITY: TableDefinition<(), &[u8]> = TableDefinition::new("identity");
const POSITION: TableDefinition<(), &[u8]> = TableDefinition::new("position");
const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("records");
const CHECKPOINTS: TableDefinition<u64, &[u8]> = TableDefinition::new("checkpoints");

/// Checkpoints that always stay: if the newest is unusable, the one before is available.
const MIN_CHECKPOINTS: usize = 2;

/// The database of a run, open. A run has one at a time.
#[derive(Debug)]
pub struct RunDatabase {
    database: Database,
    identity: RunIdentity,
    position: LogPosition,
    /// Checkpoints, the oldest first.
    checkpoints: VecDeque<CheckpointEntry>,
}

/// A checkpoint in the database.
#[derive(Clone, Copy, Debug)]
struct CheckpointEntry {
    position: LogPosition,
    /// Where the log begins that the checkpoint needs: the position of an earlier checkpoint, before all that its state
    /// refers to.
    begin: LogPosition,
    /// Size of the checkpoint itself.
    bytes: u64,
}

impl RunDatabase {
    /// Creates the log of a run in an empty database.
    ///
    /// # Errors
    /// Returns an error if the database cannot be written.
    pub fn create(
        database: Database,
        identity: RunIdentity,
        checkpoint: &Checkpoint,
    ) -> Result<Self, StoreError> {
        let position = checkpoint.position;
        let bytes = codec::write_checkpoint(checkpoint, position);
        let write = database.begin_write().map_err(database_error)?;
        {
            let mut table = write.open_table(IDENTITY).map_err(database_error)?;
            table
                .insert((), &*codec::write_identity(&identity))
                .map_err(database_error)?;
            let mut table = write.open_table(POSITION).map_err(database_error)?;
            table
                .insert((), &*codec::write_position(position))
                .map_err(database_error)?;
            let mut table = write.open_table(CHECKPOINTS).map_err(database_error)?;
            table
                .insert(position.sequence, &*bytes)
                .map_err(database_error)?;
            write.open_table(RECORDS).map_err(database_error)?;
        }
        write.commit().map_err(database_error)?;
        let checkpoints = VecDeque::from([CheckpointEntry {
            position,
            begin: position,
            bytes: bytes.len() as u64,
        }]);
        Ok(Self {
            database,
            identity,
            position,
            checkpoints,
        })
    }

    /// Opens the log of an existing database.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read or is not a log.
    pub fn open(database: Database) -> Result<Self, StoreError> {
        let read = database.begin_read().map_err(database_error)?;
        let only = |table: TableDefinition<(), &'static [u8]>| -> Result<Vec<u8>, StoreError> {
            let table = read.open_table(table).map_err(database_error)?;
            let value = table.get(()).map_err(database_error)?;
            Ok(value
                .ok_or_else(|| StoreError::Damaged("a table is empty".into()))?
                .value()
                .to_vec())
        };
        let identity = codec::read_identity(&only(IDENTITY)?)?;
        let position = codec::read_position(&only(POSITION)?)?;
        let mut checkpoints = VecDeque::new();
        let table = read.open_table(CHECKPOINTS).map_err(database_error)?;
        for entry in table.iter().map_err(database_error)? {
            let (_, value) = entry.map_err(database_error)?;
            let (header, _) = codec::read_header(value.value())?;
            checkpoints.push_back(CheckpointEntry {
                position: header.position,
                begin: header.begin,
                bytes: value.value().len() as u64,
            });
        }
        drop((table, read));
        if checkpoints.is_empty() {
            return Err(StoreError::Damaged(
                "expected a checkpoint, found none".into(),
            ));
        }
        Ok(Self {
            database,
            identity,
            position,
            checkpoints,
        })
    }

    /// Returns the identity of the run.
    pub fn identity(&self) -> &RunIdentity {
        &self.identity
    }

    /// Returns the position of the last record.
    pub fn position(&self) -> LogPosition {
        self.position
    }

    /// Appends records in order. When this returns `Ok`, they survive crashes and, if the disk honours `fsync`, power loss.
    ///
    /// # Errors
    /// Returns an error if they may not be durable. Nothing more can then be written until the log is reopened.
    pub fn append<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> Result<(), StoreError> {
        let mut position = self.position;
        let write = self.database.begin_write().map_err(database_error)?;
        {
            let mut table = write.open_table(RECORDS).map_err(database_error)?;
            for record in records {
                let bytes = write_record(record);
                position = LogPosition {
                    sequence: position.sequence + 1,
                    bytes: position.bytes + bytes.len() as u64,
                };
                table
                    .insert(position.sequence, &*bytes)
                    .map_err(database_error)?;
            }
            let mut table = write.open_table(POSITION).map_err(database_error)?;
            table
                .insert((), &*codec::write_position(position))
                .map_err(database_error)?;
        }
        write.commit().map_err(database_error)?;
        self.position = position;
        Ok(())
    }

    /// Writes the state after a record, and deletes old records beyond `retention_bytes`.
    ///
    /// # Errors
    /// Returns an error if the checkpoint may not be durable.
    pub fn checkpoint(
        &mut self,
        checkpoint: &Checkpoint,
        retention_bytes: u64,
    ) -> Result<(), StoreError> {
        let mut checkpoints = self.checkpoints.clone();
        let begin = begin_of(&checkpoints, checkpoint);
        let bytes = codec::write_checkpoint(checkpoint, begin);
        if checkpoints
            .back()
            .is_some_and(|last| last.position.sequence < checkpoint.position.sequence)
        {
            let entry = CheckpointEntry {
                position: checkpoint.position,
                begin,
                bytes: bytes.len() as u64,
            };
            checkpoints.push_back(entry);
        }
        let write = self.database.begin_write().map_err(database_error)?;
        {
            let mut table = write.open_table(CHECKPOINTS).map_err(database_error)?;
            table
                .insert(checkpoint.position.sequence, &*bytes)
                .map_err(database_error)?;
            let mut records = write.open_table(RECORDS).map_err(database_error)?;
            while checkpoints.len() > MIN_CHECKPOINTS
                && self.bytes_from(&checkpoints) > retention_bytes
            {
                let deleted = checkpoints
                    .pop_front()
                    .expect("there are more than the minimum");
                table
                    .remove(deleted.position.sequence)
                    .map_err(database_error)?;
                let first = checkpoints[0].begin.sequence + 1;
                records
                    .retain_in(..first, |_, _| false)
                    .map_err(database_error)?;
            }
        }
        write.commit().map_err(database_error)?;
        self.checkpoints = checkpoints;
        Ok(())
    }

    /// Returns the size of a log that begins with the first of these checkpoints.
    fn bytes_from(&self, checkpoints: &VecDeque<CheckpointEntry>) -> u64 {
        let first = checkpoints
            .front()
            .map_or(self.position.bytes, |first| first.begin.bytes);
        self.position.bytes - first + checkpoints.iter().map(|entry| entry.bytes).sum::<u64>()
    }

    /// Returns the size of records and checkpoints.
    pub fn bytes(&self) -> u64 {
        self.bytes_from(&self.checkpoints)
    }

    /// Reads the newest checkpoint, from which the fewest records lead to the end of the log.
    ///
    /// # Errors
    /// Returns an error if it cannot be read.
    pub fn newest_checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.read_checkpoint(self.checkpoints.back())
    }

    /// Reads the oldest checkpoint.
    ///
    /// # Errors
    /// Returns an error if it cannot be read.
    pub fn oldest_checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.read_checkpoint(self.checkpoints.front())
    }

    fn read_checkpoint(&self, entry: Option<&CheckpointEntry>) -> Result<Checkpoint, StoreError> {
        let sequence = entry.expect("a log has checkpoints").position.sequence;
        let read = self.database.begin_read().map_err(database_error)?;
        let table = read.open_table(CHECKPOINTS).map_err(database_error)?;
        let value = table.get(sequence).map_err(database_error)?;
        let value = value.ok_or_else(|| {
            StoreError::Damaged(format!("expected checkpoint {sequence}, found none"))
        })?;
        let records = read.open_table(RECORDS).map_err(database_error)?;
        let mut signs = |position| signs_at(&records, position);
        Ok(codec::read_checkpoint(value.value(), &mut signs)?)
    }

    /// Passes each record after position `after` to `each`, in order.
    ///
    /// # Errors
    /// Returns an error if a record is missing or cannot be read, or if `each` fails.
    pub fn for_each_record(
        &self,
        after: u64,
        mut each: impl FnMut(u64, Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let read = self.database.begin_read().map_err(database_error)?;
        let table = read.open_table(RECORDS).map_err(database_error)?;
        let mut expected = after + 1;
        for entry in table.range(expected..).map_err(database_error)? {
            let (sequence, value) = entry.map_err(database_error)?;
            if sequence.value() != expected {
                break;
            }
            each(
                expected,
                read_record(value.value()).map_err(SavedValueError::from)?,
            )?;
            expected += 1;
        }
        if expected == self.position.sequence + 1 {
            return Ok(());
        }
        Err(StoreError::Damaged(format!(
            "expected records up to {}, found {}",
            self.position.sequence,
            expected - 1
        )))
    }
}

/// Returns where the log begins that a checkpoint needs: the newest position of a checkpoint, `earlier` or its own, before
/// everything that its state refers to.
fn begin_of(earlier: &VecDeque<CheckpointEntry>, checkpoint: &Checkpoint) -> LogPosition {
    let first = earlier.front().map(|entry| entry.begin);
    let positions = earlier.iter().map(|entry| entry.position);
    let begins = first
        .into_iter()
        .chain(positions)
        .chain([checkpoint.position]);
    let oldest = checkpoint.state.oldest_reference();
    let is_before = |begin: &LogPosition| begin.sequence < oldest;
    begins
        .rev()
        .find(is_before)
        .or(first)
        .unwrap_or(checkpoint.position)
}

/// Returns the signs of the update at a position. `None` if there are none.
fn signs_at(
    records: &impl ReadableTable<u64, &'static [u8]>,
    position: u64,
) -> Option<Arc<SignBits>> {
    let bytes = records.get(position).ok()??;
    match read_record(bytes.value()).ok()? {
        Record::Update { signs, .. } => signs,
        _ => None,
    }
}
