//! The state directory of a run: its files and its lock.
//!
//! ```text
//!   lock          held by the process that uses the directory
//!   run.redb      the database; appears under this name once it contains a run
//!   rescue        backup: identity and newest checkpoint, used if the database cannot be read
//!   run.N.redb    an archived run or damaged database; never modified
//!   rescue.N
//! ```
//!
//! Only the owner may read database and backup, which have the keys of the run.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use redb::Database;

use crate::store::run_database::RunDatabase;
use crate::store::saved_values::{Checkpoint, RunIdentity};
use crate::store::{StoreError, codec, database_error};

/// Memory for cached pages of the database.
const CACHE_BYTES: usize = 32 << 20;

/// A locked state directory. The lock is released on drop.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// The system releases the lock with the file, however the process ends.
    _lock: File,
}

/// An opened run.
#[derive(Debug)]
pub struct OpenedRun {
    /// The log.
    pub log: RunDatabase,
    /// The recovery; `None` if the database was intact.
    pub recovered: Option<RecoveredRun>,
}

/// A run that continues from its last checkpoint, because its database could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredRun {
    /// The damage of the database.
    pub cause: String,
    /// The archived damaged file; `None` if the file was missing.
    pub archived: Option<PathBuf>,
    /// Accepted updates in the checkpoint; later ones are lost.
    pub accepted: u64,
}

impl StateDir {
    /// Locks the directory, and creates it if it is missing.
    ///
    /// # Errors
    /// Returns an error if another process holds the lock, or the directory is not writable.
    pub fn lock(path: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(path).map_err(StoreError::io("make", path))?;
        let name = path.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&name);
        let lock = file.map_err(StoreError::io("write to", &name))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
                dir: path.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(StoreError::Io {
                action: "lock",
                path: name,
                source,
            }),
        }
    }

    /// Locks a directory that contains a run.
    ///
    /// # Errors
    /// Returns an error if there is no run, another process holds the lock, or the directory is not writable.
    pub fn lock_existing(path: &Path) -> Result<Self, StoreError> {
        let not_found = || StoreError::NotFound {
            dir: path.to_owned(),
        };
        if !path.is_dir() {
            return Err(not_found());
        }
        let dir = Self::lock(path)?;
        if dir.has_run() {
            Ok(dir)
        } else {
            Err(not_found())
        }
    }

    /// Returns whether the directory contains a run, damaged or not.
    pub fn has_run(&self) -> bool {
        self.database_path().exists() || self.backup_path().exists()
    }

    /// Creates a run.
    ///
    /// # Errors
    /// Returns an error if it cannot be written; the directory then contains no run.
    pub fn create(
        &self,
        identity: &RunIdentity,
        checkpoint: &Checkpoint,
    ) -> Result<RunDatabase, StoreError> {
        let new = self.prepare(identity, checkpoint)?;
        self.write_backup(identity, checkpoint)?;
        self.commit(&new)?;
        self.open_undamaged()
    }

    /// Replaces the state of the run by one without sessions, and returns the archived original. The directory
    /// contains a run at every moment: the original, then the new one.
    ///
    /// # Errors
    /// Returns an error if the new state cannot be written. The run is then unchanged, unless only the backup failed.
    pub fn replace(
        &self,
        log: RunDatabase,
        checkpoint: &Checkpoint,
    ) -> Result<PathBuf, StoreError> {
        let identity = log.identity().clone();
        drop(log);
        let new = self.prepare(&identity, checkpoint)?;
        let archived = self.next_free_name("run", ".redb");
        let path = self.database_path();
        fs::hard_link(&path, &archived)
            .or_else(|_| fs::copy(&path, &archived).map(drop)) // some file systems have no hard links
            .map_err(StoreError::io("keep", &path))?;
        self.commit(&new)?;
        self.write_backup(&identity, checkpoint)?;
        Ok(archived)
    }

    /// Writes a new database under a temporary name.
    fn prepare(
        &self,
        identity: &RunIdentity,
        checkpoint: &Checkpoint,
    ) -> Result<PathBuf, StoreError> {
        let new = self.path.join("new.redb");
        if new.exists() {
            fs::remove_file(&new).map_err(StoreError::io("remove", &new))?; // left by an interrupted start
        }
        create_private(&new).map_err(StoreError::io("create", &new))?;
        let database = builder().create(&new).map_err(database_error)?;
        RunDatabase::create(database, identity.clone(), checkpoint)?;
        Ok(new)
    }

    /// Renames a new database to that of the run.
    fn commit(&self, new: &Path) -> Result<(), StoreError> {
        fs::rename(new, self.database_path()).map_err(StoreError::io("rename", new))?;
        self.sync()
    }

    /// Opens the log of the run without recovering it. The directory stays unchanged.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn open_undamaged(&self) -> Result<RunDatabase, StoreError> {
        let path = self.database_path();
        if !path.exists() {
            return Err(StoreError::Damaged(format!(
                "{} is missing",
                path.display()
            )));
        }
        RunDatabase::open(builder().open(&path).map_err(database_error)?)
    }

    /// Opens the log of the run. A damaged database is archived, and replaced by one with the checkpoint of the
    /// backup.
    ///
    /// # Errors
    /// Returns an error if neither the database nor the backup can be read, or a file operation fails.
    pub fn open(&self) -> Result<OpenedRun, StoreError> {
        match self.open_undamaged() {
            Ok(log) => Ok(OpenedRun {
                log,
                recovered: None,
            }),
            Err(error) if error.is_damage() => self.recover(&error),
            Err(error) => Err(error),
        }
    }

    fn recover(&self, error: &StoreError) -> Result<OpenedRun, StoreError> {
        let path = self.backup_path();
        let bytes = fs::read(&path).map_err(|source| {
            StoreError::Damaged(format!(
                "{error}; {} cannot be read either: {source}",
                path.display()
            ))
        })?;
        let (identity, checkpoint) = codec::read_backup(&bytes).map_err(|source| {
            StoreError::Damaged(format!(
                "{error}; {} is damaged too: {source}",
                path.display()
            ))
        })?;
        let checkpoint = checkpoint.after_lost_records();
        let archived = self.archive_file(&self.database_path(), "run", ".redb")?;
        let log = self.create(&identity, &checkpoint)?;
        let recovered = RecoveredRun {
            cause: error.to_string(),
            archived,
            accepted: checkpoint.accepted(),
        };
        Ok(OpenedRun {
            log,
            recovered: Some(recovered),
        })
    }

    /// Writes the backup: identity and checkpoint.
    ///
    /// # Errors
    /// Returns an error if it cannot be written; the previous backup then stays.
    pub fn write_backup(
        &self,
        identity: &RunIdentity,
        checkpoint: &Checkpoint,
    ) -> Result<(), StoreError> {
        let new = self.path.join("rescue.new");
        let path = self.backup_path();
        let write = || {
            let mut file = create_private(&new)?;
            file.write_all(&codec::write_backup(identity, checkpoint))?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(StoreError::io("write", &path))?;
        self.sync()
    }

    /// Archives the run, so that another can begin. Returns the archived file; `None` if there was no run.
    ///
    /// # Errors
    /// Returns an error if a file operation fails.
    pub fn archive(&self) -> Result<Option<PathBuf>, StoreError> {
        // The backup comes last: after power loss in between, the directory still contains a run.
        let database = self.archive_file(&self.database_path(), "run", ".redb")?;
        let backup = self.archive_file(&self.backup_path(), "rescue", "")?;
        Ok(database.or(backup))
    }

    /// Returns the name with the first free number.
    fn next_free_name(&self, stem: &str, ending: &str) -> PathBuf {
        let names = (1u32..).map(|number| self.path.join(format!("{stem}.{number}{ending}")));
        names
            .into_iter()
            .find(|name| !name.exists())
            .expect("some number is free")
    }

    /// Renames the file to the name with the first free number.
    fn archive_file(
        &self,
        from: &Path,
        stem: &str,
        ending: &str,
    ) -> Result<Option<PathBuf>, StoreError> {
        if !from.exists() {
            return Ok(None);
        }
        let to = self.next_free_name(stem, ending);
        fs::rename(from, &to).map_err(StoreError::io("rename", from))?;
        self.sync()?;
        Ok(Some(to))
    }

    /// Makes renames durable.
    fn sync(&self) -> Result<(), StoreError> {
        let synced = if cfg!(unix) {
            File::open(&self.path).and_then(|dir| dir.sync_all())
        } else {
            Ok(())
        };
        synced.map_err(StoreError::io("sync", &self.path))
    }

    fn database_path(&self) -> PathBuf {
        self.path.join("run.redb")
    }

    fn backup_path(&self) -> PathBuf {
        self.path.join("rescue")
    }
}

/// Creates or empties a file that only its owner may read, because it has the keys of the run.
fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Builds databases that verify every page on open, so that damage is detected at once.
fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true);
    builder
}
