//! Records of a batch, durable before its replies.

use farsign::learner::Record;
use farsign::training_server::TrainingServer;

use crate::store::StoreError;
use crate::store::writer::Writer;

/// The writer of a run's records. It does nothing if the run is not saved.
#[derive(Debug, Default)]
pub(super) struct Journal(Option<JournalState>);

#[derive(Debug)]
struct JournalState {
    writer: Writer,
    /// Number of the version of the last durable batch.
    version: u64,
    checkpoint_every: u64,
    /// Accepted updates at which the next checkpoint is due.
    checkpoint_due_at: u64,
}

impl Journal {
    /// Creates the journal of a run with `accepted` updates.
    pub fn new(writer: Writer, version: u64, checkpoint_every: u64, accepted: u64) -> Self {
        Self(Some(JournalState {
            writer,
            version,
            checkpoint_every,
            checkpoint_due_at: accepted + checkpoint_every,
        }))
    }

    /// Saves the records that the training server has taken, with the number of its version, and waits until they are
    /// durable.
    ///
    /// # Errors
    /// Returns an error if the batch may not be durable. Its replies must not be sent then.
    pub async fn save(&mut self, training: &mut TrainingServer) -> Result<(), StoreError> {
        let records: Vec<Record> = std::iter::from_fn(|| training.poll_record()).collect();
        let Some(state) = &mut self.0 else {
            return Ok(());
        };
        let version = training.version().number();
        if records.is_empty() && state.version == version {
            return Ok(());
        }
        let accepted = training.optimizer().accepted();
        let due = (accepted >= state.checkpoint_due_at).then(|| training.learner().state());
        if due.is_some() {
            state.checkpoint_due_at = accepted + state.checkpoint_every;
        }
        state.version = version;
        state.writer.save(records, version, due).await
    }

    /// Waits until everything is written and the files are closed.
    pub async fn close(self) {
        if let Some(state) = self.0 {
            state.writer.close().await;
        }
    }
}
