//! The writer thread, so that no other thread waits for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use farsign::learner::{LearnerState, Record};
use tokio::sync::oneshot;

use crate::store::StoreError;
use crate::store::log::Log;
use crate::store::saved_values::Checkpoint;
use crate::store::state_dir::StateDir;

/// A batch that is written in one transaction.
#[derive(Debug)]
struct WriteBatch {
    records: Vec<Record>,
    /// Number of the newest version.
    version: u64,
    /// The state after the batch; `None` if no checkpoint is due.
    state: Option<LearnerState>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// Counters of the writer since the server started.
#[derive(Debug, Default)]
pub struct WriterCounters {
    /// Durable batches.
    pub commits: AtomicU64,
    /// Bytes of records and checkpoints in the log.
    pub log_bytes: AtomicU64,
    /// Whether a write has failed. Nothing is written afterwards.
    pub failed: AtomicBool,
}

/// A handle of the writer thread.
#[derive(Debug)]
pub struct Writer {
    batches: SyncSender<WriteBatch>,
    thread: JoinHandle<()>,
    counters: Arc<WriterCounters>,
}

impl Writer {
    /// Starts the thread. Without a state directory, no backup is written.
    ///
    /// # Errors
    /// Returns an error if the thread cannot be started.
    pub fn start(log: Log, dir: Option<StateDir>, retention_bytes: u64) -> std::io::Result<Self> {
        let (batches, queue) = sync_channel(1); // a batch waits at most for the checkpoint of the previous one
        let counters = Arc::new(WriterCounters::default());
        counters.log_bytes.store(log.bytes(), Ordering::Relaxed);
        let writer = WriterThread {
            log,
            dir,
            retention_bytes,
            counters: Arc::clone(&counters),
        };
        let thread = thread::Builder::new()
            .name("writer".into())
            .spawn(move || writer.run(&queue))?;
        Ok(Self {
            batches,
            thread,
            counters,
        })
    }

    /// Returns the counters of the thread.
    pub fn counters(&self) -> Arc<WriterCounters> {
        Arc::clone(&self.counters)
    }

    /// Writes a batch and waits until it is durable. The checkpoint, if any, is written afterwards.
    ///
    /// # Errors
    /// Returns an error if the batch may not be durable, or the previous checkpoint failed. Later calls fail too.
    pub async fn save(
        &self,
        records: Vec<Record>,
        version: u64,
        state: Option<LearnerState>,
    ) -> Result<(), StoreError> {
        let (done, saved) = oneshot::channel();
        let batch = WriteBatch {
            records,
            version,
            state,
            done,
        };
        self.batches
            .send(batch)
            .map_err(|_| StoreError::WriterStopped)?;
        saved.await.unwrap_or(Err(StoreError::WriterStopped))
    }

    /// Waits until all batches are written and the files are closed.
    pub async fn close(self) {
        let Self {
            batches, thread, ..
        } = self;
        drop(batches);
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!(event = "save_failed", "writer thread panicked");
        }
    }
}

struct WriterThread {
    log: Log,
    dir: Option<StateDir>,
    retention_bytes: u64,
    counters: Arc<WriterCounters>,
}

impl WriterThread {
    /// Writes until the first failure, or until all senders are dropped.
    fn run(mut self, queue: &Receiver<WriteBatch>) {
        let mut failed = None;
        while let Ok(WriteBatch {
            records,
            version,
            state,
            done,
        }) = queue.recv()
        {
            let saved = failed
                .take()
                .map_or_else(|| self.log.append(&records, version), Err);
            let is_saved = saved.is_ok();
            self.count(is_saved);
            _ = done.send(saved); // the batch counts as written even if its sender is gone
            if !is_saved {
                return;
            }
            if let Some(state) = state {
                failed = self.checkpoint(state).err();
                self.counters
                    .failed
                    .fetch_or(failed.is_some(), Ordering::Relaxed);
            }
        }
        if let Some(error) = failed {
            tracing::error!(event = "save_failed", %error, "last checkpoint not saved");
        }
    }

    /// Counts a batch.
    fn count(&self, is_saved: bool) {
        let WriterCounters {
            commits,
            log_bytes,
            failed,
        } = &*self.counters;
        commits.fetch_add(u64::from(is_saved), Ordering::Relaxed);
        log_bytes.store(self.log.bytes(), Ordering::Relaxed);
        failed.fetch_or(!is_saved, Ordering::Relaxed);
    }

    fn checkpoint(&mut self, state: LearnerState) -> Result<(), StoreError> {
        let checkpoint = Checkpoint {
            position: self.log.position(),
            version: self.log.version(),
            state,
        };
        self.log.checkpoint(&checkpoint, self.retention_bytes)?;
        let dir = self.dir.as_ref();
        dir.map_or(Ok(()), |dir| {
            dir.write_backup(self.log.identity(), &checkpoint)
        })?;
        let accepted = checkpoint.accepted();
        let log_bytes = self.log.bytes();
        self.counters.log_bytes.store(log_bytes, Ordering::Relaxed);
        tracing::info!(event = "saved", accepted, log_bytes, "checkpoint saved");
        Ok(())
    }
}
