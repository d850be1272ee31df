//! The log of a saved run.

use std::sync::Arc;

use farsign::learner::{LearnerState, Record};
use futures_util::future::BoxFuture;

use super::EmbeddedReader;
use crate::run::log::{Entry, Log, LogError};
use crate::store::writer::{Writer, WriterOptions};

/// A log in the database of a saved run. Each record is a message, numbered by its position.
#[derive(Clone, Debug)]
pub struct SavedLog(Arc<Writer>);

impl SavedLog {
    /// Starts the writer of a saved run, and returns its log with the reader of what is appended from now on.
    ///
    /// # Errors
    /// Returns an error if the system provides no thread.
    pub fn start(options: WriterOptions) -> std::io::Result<(Self, EmbeddedReader)> {
        let (entries, reader) = EmbeddedReader::new();
        let on_durable = move |first: u64, records: Vec<Record>| {
            let records = (first..).zip(records);
            let durable = records.map(|(message, record)| Entry { message, record });
            _ = entries.blocking_send(durable.collect()); // without a reader, they are only saved
        };
        let writer = Writer::start(options, Box::new(on_durable))?;
        Ok((Self(Arc::new(writer)), reader))
    }
}

impl Log for SavedLog {
    fn append(&self, records: Vec<Record>) -> BoxFuture<'static, Result<Vec<u64>, LogError>> {
        let writer = Arc::clone(&self.0);
        Box::pin(async move {
            let positions = writer.append(records).await?;
            Ok(positions.collect())
        })
    }

    fn checkpoint(
        &self,
        message: u64,
        state: LearnerState,
    ) -> BoxFuture<'static, Result<(), LogError>> {
        let writer = Arc::clone(&self.0);
        Box::pin(async move { Ok(writer.checkpoint(message, state)?) })
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let writer = Arc::clone(&self.0);
        Box::pin(async move { writer.close().await })
    }
}
