//! The log of a run that is not saved.

use std::sync::Arc;

use farsign::learner::{LearnerState, Record};
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, mpsc};

use super::EmbeddedReader;
use crate::run::log::{Entry, Log, LogError};

/// A log in memory. Entries are gone once they are read.
#[derive(Clone, Debug)]
pub struct MemoryLog(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Number of the newest message.
    newest: u64,
    /// `None` once the log is closed.
    entries: Option<mpsc::Sender<Vec<Entry>>>,
}

/// Creates an empty log with its reader.
pub fn memory_log() -> (MemoryLog, EmbeddedReader) {
    let (entries, reader) = EmbeddedReader::new();
    let state = State {
        newest: 0,
        entries: Some(entries),
    };
    (MemoryLog(Arc::new(Mutex::new(state))), reader)
}

impl Log for MemoryLog {
    fn append(&self, records: Vec<Record>) -> BoxFuture<'static, Result<Vec<u64>, LogError>> {
        let state = Arc::clone(&self.0);
        Box::pin(async move {
            let mut state = state.lock().await;
            let first = state.newest + 1;
            let entries: Vec<Entry> = (first..)
                .zip(records)
                .map(|(message, record)| Entry { message, record })
                .collect();
            let messages: Vec<u64> = entries.iter().map(|entry| entry.message).collect();
            let sender = state.entries.as_ref().ok_or(LogError::Closed)?;
            sender.send(entries).await.map_err(|_| LogError::Closed)?;
            state.newest += messages.len() as u64;
            Ok(messages)
        })
    }

    fn checkpoint(&self, _: u64, _: LearnerState) -> BoxFuture<'static, Result<(), LogError>> {
        Box::pin(async { Ok(()) }) // nothing is saved
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let state = Arc::clone(&self.0);
        Box::pin(async move { state.lock().await.entries = None })
    }
}
