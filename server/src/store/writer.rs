//! The writer thread, so that no other thread waits for the disk.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use farsign::learner::{LearnerState, Record};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::store::StoreError;
use crate::store::run_database::RunDatabase;
use crate::store::saved_values::{Checkpoint, LogPosition};
use crate::store::state_dir::StateDir;

/// Appends that are written in one transaction.
const MAX_APPENDS: usize = 64;

/// Work for the thread.
#[derive(Debug)]
enum Request {
    Append(Append),
    Checkpoint {
        position: u64,
        state: Box<LearnerState>,
    },
}

#[derive(Debug)]
struct Append {
    records: Vec<Record>,
    done: oneshot::Sender<Result<RangeInclusive<u64>, StoreError>>,
}

/// Receives the records that have become durable, with the position of the first.
pub type OnDurable = Box<dyn FnMut(u64, Vec<Record>) + Send>;

/// Counters of the writer since the server started.
#[derive(Debug, Default)]
pub struct WriterCounters {
    /// Durable transactions.
    pub commits: AtomicU64,
    /// Bytes of records and checkpoints in the log.
    pub log_bytes: AtomicU64,
    /// Whether a write has failed. Nothing is written afterwards.
    pub failed: AtomicBool,
}

/// A handle of the writer thread.
#[derive(Debug)]
pub struct Writer(Mutex<Option<Running>>);

#[derive(Debug)]
struct Running {
    requests: Sender<Request>,
    thread: JoinHandle<()>,
}

/// What a writer writes to.
#[derive(Debug)]
pub struct WriterOptions {
    /// The database of the run.
    pub database: RunDatabase,
    /// The directory of backups. `None` if no backup is written.
    pub dir: Option<StateDir>,
    /// Bytes of records and checkpoints to keep.
    pub retention_bytes: u64,
    /// Counters for the status.
    pub counters: Arc<WriterCounters>,
}

impl Writer {
    /// Starts the thread, which passes durable records to `on_durable`.
    ///
    /// # Errors
    /// Returns an error if the thread cannot be started.
    pub fn start(options: WriterOptions, on_durable: OnDurable) -> std::io::Result<Self> {
        let (requests, queue) = channel();
        let WriterOptions {
            database,
            dir,
            retention_bytes,
            counters,
        } = options;
        let log_bytes = database.bytes();
        counters.log_bytes.store(log_bytes, Ordering::Relaxed);
        let writer = WriterThread {
            positions: VecDeque::from([database.position()]),
            database,
            dir,
            retention_bytes,
            counters,
            on_durable,
            failed: None,
        };
        let thread = thread::Builder::new()
            .name("writer".into())
            .spawn(move || writer.run(&queue))?;
        Ok(Self(Mutex::new(Some(Running { requests, thread }))))
    }

    /// Appends records and waits until they are durable. Returns their positions.
    ///
    /// # Errors
    /// Returns an error if they may not be durable, or an earlier checkpoint failed. Later calls fail too.
    pub async fn append(&self, records: Vec<Record>) -> Result<RangeInclusive<u64>, StoreError> {
        let (done, written) = oneshot::channel();
        self.send(Request::Append(Append { records, done }))?;
        written.await.unwrap_or(Err(StoreError::WriterStopped))
    }

    /// Writes a checkpoint of the state after the record at a position, and deletes old records.
    ///
    /// # Errors
    /// Returns an error if the thread has ended. The error of the checkpoint itself is that of a later append.
    pub fn checkpoint(&self, position: u64, state: LearnerState) -> Result<(), StoreError> {
        let state = Box::new(state);
        self.send(Request::Checkpoint { position, state })
    }

    fn send(&self, request: Request) -> Result<(), StoreError> {
        let running = self.0.lock();
        let running = running.as_ref().ok_or(StoreError::WriterStopped)?;
        let sent = running.requests.send(request);
        sent.map_err(|_| StoreError::WriterStopped)
    }

    /// Waits until everything is written and the files are closed.
    pub async fn close(&self) {
        let Some(Running { requests, thread }) = self.0.lock().take() else {
            return;
        };
        drop(requests);
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!(event = "save_failed", "writer thread panicked");
        }
    }
}

struct WriterThread {
    database: RunDatabase,
    dir: Option<StateDir>,
    retention_bytes: u64,
    counters: Arc<WriterCounters>,
    on_durable: OnDurable,
    /// Positions after the transactions since the newest checkpoint, with that of the checkpoint.
    positions: VecDeque<LogPosition>,
    /// The error of a checkpoint.
    failed: Option<StoreError>,
}

impl WriterThread {
    /// Writes until the first failure, or until all senders are dropped.
    fn run(mut self, queue: &Receiver<Request>) {
        let mut appends = Vec::new();
        while let Ok(first) = queue.recv() {
            let mut next = Some(first);
            while let Some(Request::Append(append)) = next {
                appends.push(append);
                next = (appends.len() < MAX_APPENDS)
                    .then(|| queue.try_recv().ok())
                    .flatten();
            }
            if !appends.is_empty() && !self.append(&mut appends) {
                return;
            }
            if let Some(Request::Checkpoint { position, state }) = next {
                self.failed = self.checkpoint(position, *state).err();
                let is_failed = self.failed.is_some();
                self.counters.failed.fetch_or(is_failed, Ordering::Relaxed);
            }
        }
        if let Some(error) = self.failed {
            tracing::error!(event = "save_failed", %error, "last checkpoint not saved");
        }
    }

    /// Writes appends in one transaction. Returns whether they are durable.
    fn append(&mut self, appends: &mut Vec<Append>) -> bool {
        let records = appends.iter().flat_map(|append| &append.records);
        let first = self.database.position().sequence + 1;
        let written = self
            .failed
            .take()
            .map_or_else(|| self.database.append(records), Err);
        self.count(written.is_ok());
        if let Err(error) = written {
            let error = Arc::new(error);
            for Append { done, .. } in appends.drain(..) {
                _ = done.send(Err(StoreError::Failed(Arc::clone(&error))));
            }
            return false;
        }
        self.positions.push_back(self.database.position());
        let mut position = first;
        let mut durable = Vec::new();
        let mut written = Vec::new();
        for Append { records, done } in appends.drain(..) {
            let end = position + records.len() as u64;
            written.push((done, position..=end - 1));
            position = end;
            durable.extend(records);
        }
        (self.on_durable)(first, durable); // first, so that an append that is done has been passed on
        for (done, positions) in written {
            _ = done.send(Ok(positions)); // they count as written even if the sender is gone
        }
        true
    }

    /// Counts a transaction.
    fn count(&self, is_written: bool) {
        let WriterCounters {
            commits,
            log_bytes,
            failed,
        } = &*self.counters;
        commits.fetch_add(u64::from(is_written), Ordering::Relaxed);
        log_bytes.store(self.database.bytes(), Ordering::Relaxed);
        failed.fetch_or(!is_written, Ordering::Relaxed);
    }

    fn checkpoint(&mut self, position: u64, state: LearnerState) -> Result<(), StoreError> {
        let is_before = |earlier: &mut LogPosition| earlier.sequence < position;
        while self.positions.pop_front_if(is_before).is_some() {}
        let position = *self
            .positions
            .front()
            .filter(|found| found.sequence == position)
            .ok_or(StoreError::NoTransaction { position })?;
        let checkpoint = Checkpoint { position, state };
        self.database
            .checkpoint(&checkpoint, self.retention_bytes)?;
        let dir = self.dir.as_ref();
        dir.map_or(Ok(()), |dir| {
            dir.write_backup(self.database.identity(), &checkpoint)
        })?;
        let accepted = checkpoint.accepted();
        let log_bytes = self.database.bytes();
        self.counters.log_bytes.store(log_bytes, Ordering::Relaxed);
        tracing::info!(event = "saved", accepted, log_bytes, "checkpoint saved");
        Ok(())
    }
}
