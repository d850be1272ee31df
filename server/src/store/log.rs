//! The database of a run.
//!
//! ```text
//!   table         key                        value (see `codec`)
//!   identity      ()                         identity of the run; never changes
//!   position      ()                         current position: written with every batch of events
//!   events        sequence, from 1           one event that changed the optimizer
//!   checkpoints   sequence of the last       the whole state after it
//!                 event in it
//!   credits       a volunteer's identity     current trust of the volunteer
//! ```
//!
//! The log begins directly after its oldest checkpoint, so every later state can be replayed. When the log exceeds its
//! retention, the oldest checkpoint is deleted together with the events up to the next one.

use std::collections::VecDeque;

use farsign::identity::VolunteerIdentity;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::store::event::{
    Checkpoint, CoordinatorCounters, Event, LogPosition, RunIdentity, TrustChange, TrustRecord,
};
use crate::store::{StoreError, codec, database_error};

const IDENTITY: TableDefinition<(), &[u8]> = TableDefinition::new("identity");
const POSITION: TableDefinition<(), &[u8]> = TableDefinition::new("position");
const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
const CHECKPOINTS: TableDefinition<u64, &[u8]> = TableDefinition::new("checkpoints");
const TRUST: TableDefinition<u128, &[u8]> = TableDefinition::new("credits");

/// Checkpoints that always stay: if the newest is unusable, the one before is available.
const MIN_CHECKPOINTS: usize = 2;

/// An open log. A run has one at a time.
#[derive(Debug)]
pub struct Log {
    database: Database,
    identity: RunIdentity,
    position: LogPosition,
    counters: CoordinatorCounters,
    /// Checkpoints, the oldest first.
    checkpoints: VecDeque<CheckpointEntry>,
}

/// A checkpoint in the database.
#[derive(Clone, Copy, Debug)]
struct CheckpointEntry {
    position: LogPosition,
    /// Size of the checkpoint itself.
    bytes: u64,
}

impl Log {
    /// Creates the log of a run in an empty database.
    ///
    /// # Errors
    /// Returns an error if the database cannot be written.
    pub fn create(
        database: Database,
        identity: RunIdentity,
        checkpoint: &Checkpoint,
    ) -> Result<Self, StoreError> {
        let Checkpoint {
            position, counters, ..
        } = *checkpoint;
        let bytes = codec::write_checkpoint(checkpoint);
        let write = database.begin_write().map_err(database_error)?;
        {
            let mut table = write.open_table(IDENTITY).map_err(database_error)?;
            table
                .insert((), &*codec::write_identity(&identity))
                .map_err(database_error)?;
            let mut table = write.open_table(POSITION).map_err(database_error)?;
            table
                .insert((), &*codec::write_position(position, &counters))
                .map_err(database_error)?;
            let mut table = write.open_table(CHECKPOINTS).map_err(database_error)?;
            table
                .insert(position.sequence, &*bytes)
                .map_err(database_error)?;
            write.open_table(EVENTS).map_err(database_error)?;
        }
        write.commit().map_err(database_error)?;
        let checkpoints = VecDeque::from([CheckpointEntry {
            position,
            bytes: bytes.len() as u64,
        }]);
        Ok(Self {
            database,
            identity,
            position,
            counters,
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
        let (position, counters) = codec::read_position(&only(POSITION)?)?;
        let mut checkpoints = VecDeque::new();
        let table = read.open_table(CHECKPOINTS).map_err(database_error)?;
        for entry in table.iter().map_err(database_error)? {
            let (_, value) = entry.map_err(database_error)?;
            let (position, _) = codec::read_position(value.value())?;
            checkpoints.push_back(CheckpointEntry {
                position,
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
            counters,
            checkpoints,
        })
    }

    /// Returns the identity of the run.
    pub fn identity(&self) -> &RunIdentity {
        &self.identity
    }

    /// Returns the position of the last event.
    pub fn position(&self) -> LogPosition {
        self.position
    }

    /// Returns the state that decides future tasks.
    pub fn counters(&self) -> CoordinatorCounters {
        self.counters
    }

    /// Appends events in order, with the counters and the trust after them. When this returns `Ok`, they survive
    /// crashes and, if the disk honours `fsync`, power loss.
    ///
    /// # Errors
    /// Returns an error if they may not be durable. Nothing more can then be written until the log is reopened.
    pub fn append(
        &mut self,
        events: &[Event],
        trust: &[TrustChange],
        counters: CoordinatorCounters,
    ) -> Result<(), StoreError> {
        let mut position = self.position;
        let write = self.database.begin_write().map_err(database_error)?;
        {
            let mut table = write.open_table(EVENTS).map_err(database_error)?;
            for event in events {
                let bytes = codec::write_event(event);
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
                .insert((), &*codec::write_position(position, &counters))
                .map_err(database_error)?;
            let mut table = write.open_table(TRUST).map_err(database_error)?;
            for (identity, record) in trust {
                let changed = match record {
                    Some(record) => table.insert(
                        identity.number(),
                        &*codec::write_trust_record(position, *record),
                    ),
                    None => table.remove(identity.number()),
                };
                changed.map_err(database_error)?;
            }
        }
        write.commit().map_err(database_error)?;
        self.position = position;
        self.counters = counters;
        Ok(())
    }

    /// Reads the trust of all volunteers, the least recently changed first.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn trust(&self) -> Result<Vec<(VolunteerIdentity, TrustRecord)>, StoreError> {
        let read = self.database.begin_read().map_err(database_error)?;
        let table = match read.open_table(TRUST) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()), // no update was accepted yet
            table => table.map_err(database_error)?,
        };
        let mut records = Vec::new();
        for entry in table.iter().map_err(database_error)? {
            let (identity, value) = entry.map_err(database_error)?;
            let (changed, record) = codec::read_trust_record(value.value())?;
            records.push((changed, identity.value().into(), record));
        }
        records.sort_unstable_by_key(|(changed, identity, _)| (*changed, *identity));
        Ok(records
            .into_iter()
            .map(|(_, identity, record)| (identity, record))
            .collect())
    }

    /// Writes the state after the last event, and deletes old events beyond `retention_bytes`.
    ///
    /// # Errors
    /// Returns an error if the checkpoint may not be durable.
    pub fn checkpoint(
        &mut self,
        checkpoint: &Checkpoint,
        retention_bytes: u64,
    ) -> Result<(), StoreError> {
        let bytes = codec::write_checkpoint(checkpoint);
        let mut checkpoints = self.checkpoints.clone();
        if checkpoints
            .back()
            .is_some_and(|last| last.position.sequence < checkpoint.position.sequence)
        {
            let entry = CheckpointEntry {
                position: checkpoint.position,
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
            let mut events = write.open_table(EVENTS).map_err(database_error)?;
            while checkpoints.len() > MIN_CHECKPOINTS
                && self.bytes_from(&checkpoints) > retention_bytes
            {
                let deleted = checkpoints
                    .pop_front()
                    .expect("there are more than the minimum");
                table
                    .remove(deleted.position.sequence)
                    .map_err(database_error)?;
                let first = checkpoints[0].position.sequence + 1;
                events
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
            .map_or(self.position.bytes, |first| first.position.bytes);
        self.position.bytes - first + checkpoints.iter().map(|entry| entry.bytes).sum::<u64>()
    }

    /// Returns the size of events and checkpoints.
    pub fn bytes(&self) -> u64 {
        self.bytes_from(&self.checkpoints)
    }

    /// Reads the newest checkpoint, from which the fewest events lead to the end of the log.
    ///
    /// # Errors
    /// Returns an error if it cannot be read.
    pub fn newest_checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.read_checkpoint(self.checkpoints.back())
    }

    /// Reads the checkpoint with which the log begins.
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
        Ok(codec::read_checkpoint(value.value())?)
    }

    /// Passes each event after number `after` to `each`, in order.
    ///
    /// # Errors
    /// Returns an error if an event is missing or cannot be read, or if `each` fails.
    pub fn for_each_event(
        &self,
        after: u64,
        mut each: impl FnMut(u64, Event) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let read = self.database.begin_read().map_err(database_error)?;
        let table = read.open_table(EVENTS).map_err(database_error)?;
        let mut expected = after + 1;
        for entry in table.range(expected..).map_err(database_error)? {
            let (sequence, value) = entry.map_err(database_error)?;
            if sequence.value() != expected {
                break;
            }
            each(expected, codec::read_event(value.value())?)?;
            expected += 1;
        }
        if expected == self.position.sequence + 1 {
            return Ok(());
        }
        Err(StoreError::Damaged(format!(
            "expected events up to {}, found {}",
            self.position.sequence,
            expected - 1
        )))
    }
}
