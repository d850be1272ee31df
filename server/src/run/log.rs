//! The log of a run.

use farsign::learner::{LearnerState, Record};
use futures_util::future::BoxFuture;

use crate::store::StoreError;

/// A record in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Number of its message, which grows along the log. A join is alone in its message.
    pub message: u64,
    /// The record.
    pub record: Record,
}

/// An error of the log, after which nothing more can be appended.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The saved run cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log of a cluster cannot be read or written.
    #[error("{0}")]
    Remote(String),
    /// The log has been closed.
    #[error("expected an open log, found it closed")]
    Closed,
}

/// The log of a run: its records in one order for all who read them.
pub trait Log: std::fmt::Debug + Send + Sync {
    /// Appends records in this order, and waits until they are durable. Returns the number of each one's message.
    ///
    /// # Errors
    /// Returns an error if they may not be durable.
    fn append(&self, records: Vec<Record>) -> BoxFuture<'static, Result<Vec<u64>, LogError>>;

    /// Keeps a state of the learner after a message, from which a later one continues. Old records may be deleted.
    ///
    /// # Errors
    /// Returns an error if the log is closed. A failure to write it is the error of a later append.
    fn checkpoint(
        &self,
        message: u64,
        state: LearnerState,
    ) -> BoxFuture<'static, Result<(), LogError>>;

    /// Waits until everything is written and the files are closed.
    fn close(&self) -> BoxFuture<'static, ()>;
}

/// A reader of a log.
pub trait LogReader: std::fmt::Debug + Send {
    /// Returns the next durable entries, in order and without a gap, at least one. `None` at the end of a closed log.
    ///
    /// Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// Returns an error if the log cannot be read.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<Entry>>, LogError>>;
}
