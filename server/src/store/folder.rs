//! The folder of a run: which files there are, and that nobody else is in it.
//!
//! ```text
//!   lock          held by whoever uses the folder
//!   run.redb      the database; appears under this name once a run is in it
//!   rescue        identity and newest checkpoint once more, for the day that the database cannot be read
//!   run.N.redb    an earlier run, or a damaged file, moved aside and never touched again
//!   rescue.N
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use redb::Database;

use super::event::{Checkpoint, CreditChange, Identity};
use super::log::Log;
use super::{StoreError, database_error, record};

/// Memory that the database may use to keep parts of its file.
const CACHE_BYTES: usize = 32 << 20;

/// A folder that is ours until this is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Locked; the system gives the lock back with the file, however the process ends.
    _lock: File,
}

/// A log, and what had to be done to get it.
#[derive(Debug)]
pub struct Opened {
    /// The log.
    pub log: Log,
    /// Set when the database could not be read.
    pub rescued: Option<Rescued>,
}

/// A run that goes on from its last checkpoint, because its database could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// What is wrong with the database.
    pub why: String,
    /// Where the damaged file is now; none when there was none.
    pub kept: Option<PathBuf>,
    /// Accepted contributions in the checkpoint; those that came later are lost.
    pub accepted: u64,
}

impl Folder {
    /// Takes the folder, which is made if it is not there.
    ///
    /// # Errors
    /// When another process has it, or it cannot be written to.
    pub fn lock(path: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(path).map_err(StoreError::files("make", path))?;
        let name = path.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&name);
        let lock = file.map_err(StoreError::files("write to", &name))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Busy { folder: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(StoreError::Files { what: "lock", path: name, source }),
        }
    }

    /// Takes a folder that has a run.
    ///
    /// # Errors
    /// When there is none, another process has it, or it cannot be written to.
    pub fn lock_run(path: &Path) -> Result<Self, StoreError> {
        let nothing = || StoreError::Nothing { folder: path.to_owned() };
        if !path.is_dir() {
            return Err(nothing());
        }
        let folder = Self::lock(path)?;
        if folder.has_run() { Ok(folder) } else { Err(nothing()) }
    }

    /// Whether there is a run, in good order or not.
    pub fn has_run(&self) -> bool {
        self.database_path().exists() || self.rescue_path().exists()
    }

    /// Begins a run.
    ///
    /// # Errors
    /// When it cannot be written. There is no run then.
    pub fn create(&self, identity: &Identity, checkpoint: &Checkpoint) -> Result<Log, StoreError> {
        let new = self.prepare(identity, checkpoint, &[])?;
        self.write_rescue(identity, checkpoint)?;
        self.take_in(&new)?;
        self.open_intact()
    }

    /// Lets the run go on from another state, with what volunteers have earned. Gives where it is kept as it was. There is
    /// a run at every moment: the old one, then the new one.
    ///
    /// # Errors
    /// When it cannot be written. The run is as it was then, unless only its rescue could not be written.
    pub fn replace(&self, log: Log, checkpoint: &Checkpoint) -> Result<PathBuf, StoreError> {
        let (identity, credits) = (log.identity().clone(), log.credits()?);
        drop(log);
        let credits: Vec<CreditChange> =
            credits.into_iter().map(|(identity, credit)| (identity, Some(credit))).collect();
        let new = self.prepare(&identity, checkpoint, &credits)?;
        let kept = self.free_name("run", ".redb");
        let path = self.database_path();
        fs::hard_link(&path, &kept)
            .or_else(|_| fs::copy(&path, &kept).map(drop)) // some file systems have no links
            .map_err(StoreError::files("keep", &path))?;
        self.take_in(&new)?;
        self.write_rescue(&identity, checkpoint)?;
        Ok(kept)
    }

    /// A new database, which is no run yet.
    fn prepare(
        &self,
        identity: &Identity,
        checkpoint: &Checkpoint,
        credits: &[CreditChange],
    ) -> Result<PathBuf, StoreError> {
        let new = self.path.join("new.redb");
        if new.exists() {
            fs::remove_file(&new).map_err(StoreError::files("remove", &new))?; // of a start that was cut short
        }
        let database = builder().create(&new).map_err(database_error)?;
        let mut log = Log::create(database, identity.clone(), checkpoint)?;
        if !credits.is_empty() {
            log.append(&[], credits, checkpoint.cursor)?;
        }
        Ok(new)
    }

    /// Makes a new database that of the run.
    fn take_in(&self, new: &Path) -> Result<(), StoreError> {
        fs::rename(new, self.database_path()).map_err(StoreError::files("rename", new))?;
        self.sync()
    }

    /// The log of the run, if its database is in good order. The folder stays as it is in any case.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open_intact(&self) -> Result<Log, StoreError> {
        let path = self.database_path();
        if !path.exists() {
            return Err(StoreError::Damaged(format!("{} is gone", path.display())));
        }
        Log::open(builder().open(&path).map_err(database_error)?)
    }

    /// The log of the run. A database that is damaged is moved aside, and a new one begun with the last checkpoint.
    ///
    /// # Errors
    /// When neither the database nor the checkpoint can be read, or the system refuses.
    pub fn open(&self) -> Result<Opened, StoreError> {
        match self.open_intact() {
            Ok(log) => Ok(Opened { log, rescued: None }),
            Err(error) if error.is_damage() => self.rescue(&error),
            Err(error) => Err(error),
        }
    }

    fn rescue(&self, error: &StoreError) -> Result<Opened, StoreError> {
        let path = self.rescue_path();
        let bytes = fs::read(&path).map_err(|source| {
            StoreError::Damaged(format!("{error}; {} cannot be read either: {source}", path.display()))
        })?;
        let (identity, mut checkpoint) = record::read_rescue(&bytes).map_err(|source| {
            StoreError::Damaged(format!("{error}; {} is of no use either: {source}", path.display()))
        })?;
        // Tasks that were given out since have numbers and seeds that nobody knows any more.
        checkpoint.cursor = checkpoint.cursor.skip();
        let kept = self.move_aside(&self.database_path(), "run", ".redb")?;
        let log = self.create(&identity, &checkpoint)?;
        let rescued = Rescued { why: error.to_string(), kept, accepted: checkpoint.state.accepted };
        Ok(Opened { log, rescued: Some(rescued) })
    }

    /// Writes identity and checkpoint beside the database.
    ///
    /// # Errors
    /// When that fails; the file there was before is still there then.
    pub fn write_rescue(&self, identity: &Identity, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let (new, path) = (self.path.join("rescue.new"), self.rescue_path());
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(&record::write_rescue(identity, checkpoint))?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(StoreError::files("write", &path))?;
        self.sync()
    }

    /// Moves the run aside, so that another can begin. Gives where it is then; none when there was no run.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_aside(&self) -> Result<Option<PathBuf>, StoreError> {
        // The rescue goes last: were the power cut in between, the run would still be there to be seen.
        let database = self.move_aside(&self.database_path(), "run", ".redb")?;
        let rescue = self.move_aside(&self.rescue_path(), "rescue", "")?;
        Ok(database.or(rescue))
    }

    /// The first number that is free.
    fn free_name(&self, stem: &str, ending: &str) -> PathBuf {
        let names = (1u32..).map(|number| self.path.join(format!("{stem}.{number}{ending}")));
        names.into_iter().find(|name| !name.exists()).expect("some number is free")
    }

    /// Gives the file the first number that is free.
    fn move_aside(&self, from: &Path, stem: &str, ending: &str) -> Result<Option<PathBuf>, StoreError> {
        if !from.exists() {
            return Ok(None);
        }
        let to = self.free_name(stem, ending);
        fs::rename(from, &to).map_err(StoreError::files("rename", from))?;
        self.sync()?;
        Ok(Some(to))
    }

    /// Makes names of files last.
    fn sync(&self) -> Result<(), StoreError> {
        let synced =
            if cfg!(unix) { File::open(&self.path).and_then(|folder| folder.sync_all()) } else { Ok(()) };
        synced.map_err(StoreError::files("sync", &self.path))
    }

    fn database_path(&self) -> PathBuf {
        self.path.join("run.redb")
    }

    fn rescue_path(&self) -> PathBuf {
        self.path.join("rescue")
    }
}

/// Every page is verified when a database is opened: it is then known to be good, or to be damaged.
fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    builder
}
