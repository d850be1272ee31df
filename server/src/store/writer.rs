//! The thread that saves, so that nothing else waits for a disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use farsign::optimizer::FarSignState;
use tokio::sync::oneshot;

use super::StoreError;
use super::event::{Checkpoint, CreditChange, Cursor, Event};
use super::folder::Folder;
use super::log::Log;

/// What is to be saved at once.
#[derive(Debug)]
struct Batch {
    events: Vec<Event>,
    credits: Vec<CreditChange>,
    cursor: Cursor,
    /// The state they led to, when it is to be saved as a whole.
    checkpoint: Option<FarSignState>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// What was saved since the server started: written by the thread, read by whoever reports on the server.
#[derive(Debug, Default)]
pub struct SaveCounters {
    /// Batches that are on disk.
    pub commits: AtomicU64,
    /// Bytes of events and checkpoints that are kept now.
    pub log_bytes: AtomicU64,
    /// Whether something could not be saved; nothing is any more, then.
    pub failed: AtomicBool,
}

/// The way to the thread.
#[derive(Debug)]
pub struct Writer {
    batches: SyncSender<Batch>,
    thread: JoinHandle<()>,
    counters: Arc<SaveCounters>,
}

impl Writer {
    /// Starts the thread. Without a folder no checkpoint is written beside the log.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(log: Log, folder: Option<Folder>, retention_bytes: u64) -> std::io::Result<Self> {
        let (batches, queue) = sync_channel(1); // a batch waits at most for the last one's checkpoint
        let counters = Arc::new(SaveCounters::default());
        counters.log_bytes.store(log.bytes(), Ordering::Relaxed);
        let saver = Saver { log, folder, retention_bytes, counters: Arc::clone(&counters) };
        let thread = thread::Builder::new().name("writer".into()).spawn(move || saver.run(&queue))?;
        Ok(Self { batches, thread, counters })
    }

    /// What it has saved.
    pub fn counters(&self) -> Arc<SaveCounters> {
        Arc::clone(&self.counters)
    }

    /// Saves a batch, and afterwards the state, if one is given; waits for the batch alone.
    ///
    /// # Errors
    /// When it is not certain that the batch is saved, or the checkpoint before it was not. Nothing can be saved after
    /// that.
    pub async fn save(
        &self,
        events: Vec<Event>,
        credits: Vec<CreditChange>,
        cursor: Cursor,
        checkpoint: Option<FarSignState>,
    ) -> Result<(), StoreError> {
        let (done, saved) = oneshot::channel();
        let batch = Batch { events, credits, cursor, checkpoint, done };
        self.batches.send(batch).map_err(|_| StoreError::WriterGone)?;
        saved.await.unwrap_or(Err(StoreError::WriterGone))
    }

    /// Waits until everything is written and the files are closed.
    pub async fn close(self) {
        let Self { batches, thread, .. } = self;
        drop(batches);
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!(event = "cannot_save", "the thread that saves the run panicked");
        }
    }
}

struct Saver {
    log: Log,
    folder: Option<Folder>,
    retention_bytes: u64,
    counters: Arc<SaveCounters>,
}

impl Saver {
    /// Saves until the first failure, or until nobody is left to send anything.
    fn run(mut self, queue: &Receiver<Batch>) {
        let mut failed = None;
        while let Ok(Batch { events, credits, cursor, checkpoint, done }) = queue.recv() {
            let saved = failed.take().map_or_else(|| self.log.append(&events, &credits, cursor), Err);
            let is_saved = saved.is_ok();
            self.count(is_saved);
            _ = done.send(saved); // whoever asked may be gone; it is saved all the same
            if !is_saved {
                return;
            }
            if let Some(state) = checkpoint {
                failed = self.checkpoint(state).err();
                self.counters.failed.fetch_or(failed.is_some(), Ordering::Relaxed);
            }
        }
        if let Some(error) = failed {
            tracing::error!(event = "cannot_save", %error, "the last checkpoint was not saved; everything accepted was");
        }
    }

    /// A batch is on disk, or is not.
    fn count(&self, is_saved: bool) {
        let SaveCounters { commits, log_bytes, failed } = &*self.counters;
        commits.fetch_add(u64::from(is_saved), Ordering::Relaxed);
        log_bytes.store(self.log.bytes(), Ordering::Relaxed);
        failed.fetch_or(!is_saved, Ordering::Relaxed);
    }

    fn checkpoint(&mut self, state: FarSignState) -> Result<(), StoreError> {
        let checkpoint = Checkpoint { head: self.log.head(), cursor: self.log.cursor(), state };
        self.log.checkpoint(&checkpoint, self.retention_bytes)?;
        let folder = self.folder.as_ref();
        folder.map_or(Ok(()), |folder| folder.write_rescue(self.log.identity(), &checkpoint))?;
        let (accepted, log_bytes) = (checkpoint.state.accepted, self.log.bytes());
        self.counters.log_bytes.store(log_bytes, Ordering::Relaxed);
        tracing::info!(event = "saved", accepted, log_bytes, "a checkpoint is on disk");
        Ok(())
    }
}
