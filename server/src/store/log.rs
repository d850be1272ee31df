//! The database of a run.
//!
//! ```text
//!   table         key                        value (see `record`)
//!   identity      ()                         what the run is; never changes
//!   position      ()                         where it is: written with every batch of events
//!   events        sequence, from 1           one thing that changed the optimizer
//!   checkpoints   sequence of the last       the whole state then
//!                 event in it
//!   credits       a volunteer's identity     what it has earned by now
//! ```
//!
//! The log begins right after its oldest checkpoint, so there is always a way from there to every later state. When it
//! has grown too long, its oldest checkpoint goes and with it the events up to the next one.

use std::collections::VecDeque;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::event::{Checkpoint, Credit, CreditChange, Cursor, Event, Head, Identity};
use super::{StoreError, database_error, record};
use crate::admission;

const IDENTITY: TableDefinition<(), &[u8]> = TableDefinition::new("identity");
const POSITION: TableDefinition<(), &[u8]> = TableDefinition::new("position");
const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
const CHECKPOINTS: TableDefinition<u64, &[u8]> = TableDefinition::new("checkpoints");
const CREDITS: TableDefinition<u128, &[u8]> = TableDefinition::new("credits");

/// Checkpoints that always stay: should the newest be of no use, there is the one before.
const FEWEST_CHECKPOINTS: usize = 2;

/// An open log. There is one of a run at a time.
#[derive(Debug)]
pub struct Log {
    database: Database,
    identity: Identity,
    head: Head,
    cursor: Cursor,
    /// The checkpoints, oldest first.
    checkpoints: VecDeque<Kept>,
}

/// A checkpoint in the database.
#[derive(Clone, Copy, Debug)]
struct Kept {
    head: Head,
    /// Of its own.
    bytes: u64,
}

impl Log {
    /// Begins the log of a run in an empty database.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(
        database: Database,
        identity: Identity,
        checkpoint: &Checkpoint,
    ) -> Result<Self, StoreError> {
        let Checkpoint { head, cursor, .. } = *checkpoint;
        let bytes = record::write_checkpoint(checkpoint);
        let write = database.begin_write().map_err(database_error)?;
        {
            let mut table = write.open_table(IDENTITY).map_err(database_error)?;
            table.insert((), &*record::write_identity(&identity)).map_err(database_error)?;
            let mut table = write.open_table(POSITION).map_err(database_error)?;
            table.insert((), &*record::write_position(head, &cursor)).map_err(database_error)?;
            let mut table = write.open_table(CHECKPOINTS).map_err(database_error)?;
            table.insert(head.sequence, &*bytes).map_err(database_error)?;
            write.open_table(EVENTS).map_err(database_error)?;
        }
        write.commit().map_err(database_error)?;
        let checkpoints = VecDeque::from([Kept { head, bytes: bytes.len() as u64 }]);
        Ok(Self { database, identity, head, cursor, checkpoints })
    }

    /// The log in a database that has one.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn open(database: Database) -> Result<Self, StoreError> {
        let read = database.begin_read().map_err(database_error)?;
        let only = |table: TableDefinition<(), &'static [u8]>| -> Result<Vec<u8>, StoreError> {
            let table = read.open_table(table).map_err(database_error)?;
            let value = table.get(()).map_err(database_error)?;
            Ok(value.ok_or_else(|| StoreError::Damaged("a table is empty".into()))?.value().to_vec())
        };
        let identity = record::read_identity(&only(IDENTITY)?)?;
        let (head, cursor) = record::read_position(&only(POSITION)?)?;
        let mut checkpoints = VecDeque::new();
        let table = read.open_table(CHECKPOINTS).map_err(database_error)?;
        for entry in table.iter().map_err(database_error)? {
            let (_, value) = entry.map_err(database_error)?;
            let (head, _) = record::read_position(value.value())?;
            checkpoints.push_back(Kept { head, bytes: value.value().len() as u64 });
        }
        drop((table, read));
        if checkpoints.is_empty() {
            return Err(StoreError::Damaged("expected a checkpoint, found none".into()));
        }
        Ok(Self { database, identity, head, cursor, checkpoints })
    }

    /// What the run is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How far it has come.
    pub fn head(&self) -> Head {
        self.head
    }

    /// What decides its tasks to come.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Saves events, in order, where they lead, and what volunteers have earned by them. What it returns from without an error survives whatever happens to
    /// the process, and to the machine if its disks keep their word.
    ///
    /// # Errors
    /// When that is not certain. Nothing more can be saved then until the log is opened anew.
    pub fn append(
        &mut self,
        events: &[Event],
        credits: &[CreditChange],
        cursor: Cursor,
    ) -> Result<(), StoreError> {
        let mut head = self.head;
        let write = self.database.begin_write().map_err(database_error)?;
        {
            let mut table = write.open_table(EVENTS).map_err(database_error)?;
            for event in events {
                let bytes = record::write_event(event);
                head = Head { sequence: head.sequence + 1, bytes: head.bytes + bytes.len() as u64 };
                table.insert(head.sequence, &*bytes).map_err(database_error)?;
            }
            let mut table = write.open_table(POSITION).map_err(database_error)?;
            table.insert((), &*record::write_position(head, &cursor)).map_err(database_error)?;
            let mut table = write.open_table(CREDITS).map_err(database_error)?;
            for (identity, credit) in credits {
                let changed = match credit {
                    Some(credit) => table.insert(identity.number(), &*record::write_credit(head, *credit)),
                    None => table.remove(identity.number()),
                };
                changed.map_err(database_error)?;
            }
        }
        write.commit().map_err(database_error)?;
        (self.head, self.cursor) = (head, cursor);
        Ok(())
    }

    /// What volunteers have earned; whose credit changed longest ago comes first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn credits(&self) -> Result<Vec<(admission::identity::Identity, Credit)>, StoreError> {
        let read = self.database.begin_read().map_err(database_error)?;
        let table = match read.open_table(CREDITS) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()), // nothing was accepted yet
            table => table.map_err(database_error)?,
        };
        let mut credits = Vec::new();
        for entry in table.iter().map_err(database_error)? {
            let (identity, value) = entry.map_err(database_error)?;
            let (changed, credit) = record::read_credit(value.value())?;
            credits.push((changed, identity.value().into(), credit));
        }
        credits.sort_unstable_by_key(|(changed, identity, _)| (*changed, *identity));
        Ok(credits.into_iter().map(|(_, identity, credit)| (identity, credit)).collect())
    }

    /// Saves the state that the events so far have led to, and forgets what is old as far as more than `retention_bytes`
    /// are kept.
    ///
    /// # Errors
    /// When that is not certain.
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint, retention_bytes: u64) -> Result<(), StoreError> {
        let bytes = record::write_checkpoint(checkpoint);
        let mut checkpoints = self.checkpoints.clone();
        if checkpoints.back().is_some_and(|last| last.head.sequence < checkpoint.head.sequence) {
            checkpoints.push_back(Kept { head: checkpoint.head, bytes: bytes.len() as u64 });
        }
        let write = self.database.begin_write().map_err(database_error)?;
        {
            let mut table = write.open_table(CHECKPOINTS).map_err(database_error)?;
            table.insert(checkpoint.head.sequence, &*bytes).map_err(database_error)?;
            let mut events = write.open_table(EVENTS).map_err(database_error)?;
            while checkpoints.len() > FEWEST_CHECKPOINTS && self.bytes_of(&checkpoints) > retention_bytes {
                let gone = checkpoints.pop_front().expect("there are more than a few");
                table.remove(gone.head.sequence).map_err(database_error)?;
                let first = checkpoints[0].head.sequence + 1;
                events.retain_in(..first, |_, _| false).map_err(database_error)?;
            }
        }
        write.commit().map_err(database_error)?;
        self.checkpoints = checkpoints;
        Ok(())
    }

    /// Bytes of the log when it begins with the first of these checkpoints.
    fn bytes_of(&self, checkpoints: &VecDeque<Kept>) -> u64 {
        let first = checkpoints.front().map_or(self.head.bytes, |first| first.head.bytes);
        self.head.bytes - first + checkpoints.iter().map(|kept| kept.bytes).sum::<u64>()
    }

    /// Bytes of events and checkpoints now.
    pub fn bytes(&self) -> u64 {
        self.bytes_of(&self.checkpoints)
    }

    /// The state that is saved as a whole and needs the fewest events to the newest one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn newest_checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.read_checkpoint(self.checkpoints.back())
    }

    /// The state the log begins with.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn oldest_checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.read_checkpoint(self.checkpoints.front())
    }

    fn read_checkpoint(&self, kept: Option<&Kept>) -> Result<Checkpoint, StoreError> {
        let sequence = kept.expect("a log has checkpoints").head.sequence;
        let read = self.database.begin_read().map_err(database_error)?;
        let table = read.open_table(CHECKPOINTS).map_err(database_error)?;
        let value = table.get(sequence).map_err(database_error)?;
        let value = value
            .ok_or_else(|| StoreError::Damaged(format!("expected checkpoint {sequence}, found none")))?;
        Ok(record::read_checkpoint(value.value())?)
    }

    /// Gives each event after a number to `each`, in order.
    ///
    /// # Errors
    /// When one is missing or cannot be read, or when `each` fails.
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
            each(expected, record::read_event(value.value())?)?;
            expected += 1;
        }
        if expected == self.head.sequence + 1 {
            return Ok(());
        }
        Err(StoreError::Damaged(format!(
            "expected events up to {}, found {}",
            self.head.sequence,
            expected - 1
        )))
    }
}
