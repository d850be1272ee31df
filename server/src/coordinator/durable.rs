//! What the coordinator has to save before it may tell anyone.

use farsign::optimizer::FarSign;

use crate::store::StoreError;
use crate::store::event::{Cursor, Event};
use crate::store::writer::Writer;

/// Events since the last batch that was saved, and the way to save them. Of a run that is not saved it does nothing.
#[derive(Debug, Default)]
pub struct Durable(Option<Saving>);

#[derive(Debug)]
struct Saving {
    writer: Writer,
    unsaved: Vec<Event>,
    /// As it was saved last.
    cursor: Cursor,
    checkpoint_every: u64,
    /// Accepted contributions at which the next checkpoint is due.
    next_checkpoint: u64,
}

impl Durable {
    /// Of a run that has come to this, with events that are to go with the first batch.
    pub fn new(
        writer: Writer,
        unsaved: Vec<Event>,
        cursor: Cursor,
        checkpoint_every: u64,
        accepted: u64,
    ) -> Self {
        let next_checkpoint = accepted + checkpoint_every;
        Self(Some(Saving { writer, unsaved, cursor, checkpoint_every, next_checkpoint }))
    }

    /// Something changed the optimizer.
    pub fn note(&mut self, event: impl FnOnce() -> Event) {
        if let Some(saving) = &mut self.0 {
            saving.unsaved.push(event());
        }
    }

    /// Saves everything noted, and what decides the tasks to come; waits until it is on disk.
    ///
    /// # Errors
    /// When that is not certain. What it led to must not be told to anyone then.
    pub async fn save(&mut self, cursor: Cursor, optimizer: &FarSign) -> Result<(), StoreError> {
        let Some(saving) = &mut self.0 else { return Ok(()) };
        if saving.unsaved.is_empty() && saving.cursor == cursor {
            return Ok(());
        }
        let is_due = optimizer.accepted() >= saving.next_checkpoint;
        let checkpoint = is_due.then(|| optimizer.state());
        saving.writer.save(std::mem::take(&mut saving.unsaved), cursor, checkpoint).await?;
        saving.cursor = cursor;
        if is_due {
            saving.next_checkpoint = optimizer.accepted() + saving.checkpoint_every;
        }
        Ok(())
    }

    /// Waits until all is written and the files are closed.
    pub async fn close(self) {
        if let Some(saving) = self.0 {
            saving.writer.close().await;
        }
    }
}
