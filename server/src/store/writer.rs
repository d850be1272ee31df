//! The thread that saves, so that nothing else waits for a disk.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use farsign::optimizer::FarSignState;
use tokio::sync::oneshot;

use super::StoreError;
use super::event::{Checkpoint, Cursor, Event};
use super::folder::Folder;
use super::log::Log;

/// What is to be saved at once.
#[derive(Debug)]
struct Batch {
    events: Vec<Event>,
    cursor: Cursor,
    /// The state they led to, when it is to be saved as a whole.
    checkpoint: Option<FarSignState>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// The way to the thread.
#[derive(Debug)]
pub struct Writer {
    batches: SyncSender<Batch>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread. Without a folder no checkpoint is written beside the log.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(log: Log, folder: Option<Folder>, retention_bytes: u64) -> std::io::Result<Self> {
        let (batches, queue) = sync_channel(1); // a batch waits at most for the last one's checkpoint
        let saver = Saver { log, folder, retention_bytes };
        let thread = thread::Builder::new().name("writer".into()).spawn(move || saver.run(&queue))?;
        Ok(Self { batches, thread })
    }

    /// Saves a batch, and afterwards the state, if one is given; waits for the batch alone.
    ///
    /// # Errors
    /// When it is not certain that the batch is saved, or the checkpoint before it was not. Nothing can be saved after
    /// that.
    pub async fn save(
        &self,
        events: Vec<Event>,
        cursor: Cursor,
        checkpoint: Option<FarSignState>,
    ) -> Result<(), StoreError> {
        let (done, saved) = oneshot::channel();
        let batch = Batch { events, cursor, checkpoint, done };
        self.batches.send(batch).map_err(|_| StoreError::WriterGone)?;
        saved.await.unwrap_or(Err(StoreError::WriterGone))
    }

    /// Waits until everything is written and the files are closed.
    pub async fn close(self) {
        let Self { batches, thread } = self;
        drop(batches);
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the thread that saves the run panicked");
        }
    }
}

struct Saver {
    log: Log,
    folder: Option<Folder>,
    retention_bytes: u64,
}

impl Saver {
    /// Saves until the first failure, or until nobody is left to send anything.
    fn run(mut self, queue: &Receiver<Batch>) {
        let mut failed = None;
        while let Ok(Batch { events, cursor, checkpoint, done }) = queue.recv() {
            let saved = failed.take().map_or_else(|| self.log.append(&events, cursor), Err);
            let is_saved = saved.is_ok();
            _ = done.send(saved); // whoever asked may be gone; it is saved all the same
            if !is_saved {
                return;
            }
            if let Some(state) = checkpoint {
                failed = self.checkpoint(state).err();
            }
        }
        if let Some(error) = failed {
            tracing::error!(%error, "the last checkpoint was not saved; everything accepted was");
        }
    }

    fn checkpoint(&mut self, state: FarSignState) -> Result<(), StoreError> {
        let checkpoint = Checkpoint { head: self.log.head(), cursor: self.log.cursor(), state };
        self.log.checkpoint(&checkpoint, self.retention_bytes)?;
        let folder = self.folder.as_ref();
        folder.map_or(Ok(()), |folder| folder.write_rescue(self.log.identity(), &checkpoint))
    }
}
