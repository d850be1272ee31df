//! A disk in memory that fails on request, and loses unsynced writes at power loss.

use std::io;
use std::sync::{Arc, Mutex};

use farsign::random::Stream;
use redb::{Database, StorageBackend};

/// A disk; clones share its state.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Current content.
    now: Vec<u8>,
    /// Content that survives power loss.
    synced: Vec<u8>,
    /// Changes since the last sync.
    unsynced: Vec<Change>,
    /// Operations until all fail; `None` if they never fail.
    until_failure: Option<u64>,
    operations: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Length(length) => image.resize(*length, 0),
            Self::Write(offset, bytes) => {
                image.resize(image.len().max(offset + bytes.len()), 0);
                image[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
        }
    }
}

impl Disk {
    /// Makes all operations fail after the next `operations`.
    pub fn fail_after(&self, operations: u64) {
        self.0.lock().unwrap().until_failure = Some(operations);
    }

    /// Returns the number of changes and syncs so far.
    pub fn operations(&self) -> u64 {
        self.0.lock().unwrap().operations
    }

    /// Returns the disk after power loss: each unsynced write is present, missing or partial.
    pub fn after_power_cut(&self, stream: &mut Stream) -> Self {
        let state = self.0.lock().unwrap();
        let mut image = state.synced.clone();
        for change in &state.unsynced {
            match change {
                Change::Write(offset, bytes) => {
                    let kept = match stream.below(3) {
                        0 => 0,
                        1 => bytes.len(),
                        _ => stream.below(bytes.len() as u64 + 1) as usize,
                    };
                    Change::Write(*offset, bytes[..kept].to_vec()).apply(&mut image);
                }
                length @ Change::Length(_) => length.apply(&mut image),
            }
        }
        Self(Arc::new(Mutex::new(State {
            now: image.clone(),
            synced: image,
            ..State::default()
        })))
    }

    /// Creates a database on this disk.
    pub fn database(&self) -> Result<Database, redb::DatabaseError> {
        Database::builder().create_with_backend(self.clone())
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let failure = state.count();
        if failure.is_err() {
            state.unsynced.push(change); // a failed write may still have written something
            return failure;
        }
        change.apply(&mut state.now);
        state.unsynced.push(change);
        Ok(())
    }
}

impl State {
    fn count(&mut self) -> io::Result<()> {
        self.operations += 1;
        match &mut self.until_failure {
            Some(0) => Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "no space left on this disk",
            )),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let bytes = state.now.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(Change::Length(length as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.count()?;
        let State {
            now,
            synced,
            unsynced,
            ..
        } = &mut *state;
        synced.clone_from(now);
        unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write(offset as usize, data.to_vec()))
    }
}
