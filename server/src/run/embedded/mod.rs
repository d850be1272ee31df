//! The log, the board and the reports of a run in one process.

mod board;
mod memory_log;
mod reports;
mod saved_log;

pub use board::{EmbeddedBoard, EmbeddedFollower, board};
pub use memory_log::{MemoryLog, memory_log};
pub use reports::{ReportRequest, ReportSender, reports};
pub use saved_log::SavedLog;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::run::log::{Entry, LogError, LogReader};

/// Appends whose entries the learner has not taken. Further ones wait for it.
pub const MAX_UNREAD: usize = 1024;

/// The reader of a log in this process.
#[derive(Debug)]
pub struct EmbeddedReader(mpsc::Receiver<Vec<Entry>>);

impl EmbeddedReader {
    /// Creates a reader with the sender of its entries.
    pub fn new() -> (mpsc::Sender<Vec<Entry>>, Self) {
        let (sender, receiver) = mpsc::channel(MAX_UNREAD);
        (sender, Self(receiver))
    }
}

impl LogReader for EmbeddedReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<Entry>>, LogError>> {
        Box::pin(async { Ok(self.0.recv().await) })
    }
}
