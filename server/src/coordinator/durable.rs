//! What the coordinator has to save before it may tell anyone.

use std::collections::BTreeMap;

use farsign::optimizer::FarSign;

use crate::admission::identity::Identity;
use crate::store::StoreError;
use crate::store::event::{Credit, Cursor, Event};
use crate::store::writer::Writer;

/// Events since the last batch that was saved, and the way to save them. Of a run that is not saved it does nothing.
#[derive(Debug, Default)]
pub struct Durable(Option<Saving>);

#[derive(Debug)]
struct Saving {
    writer: Writer,
    unsaved: Vec<Event>,
    /// What volunteers have earned by now, of those for whom that has changed; none: they are forgotten.
    credits: BTreeMap<Identity, Option<Credit>>,
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
        Self(Some(Saving {
            writer,
            unsaved,
            credits: BTreeMap::new(),
            cursor,
            checkpoint_every,
            next_checkpoint,
        }))
    }

    /// Something changed the optimizer.
    pub fn note(&mut self, event: impl FnOnce() -> Event) {
        if let Some(saving) = &mut self.0 {
            saving.unsaved.push(event());
        }
    }

    /// A volunteer, if it has said who it is, has earned this by now; none: it is forgotten.
    pub fn note_credit(&mut self, identity: Option<Identity>, credit: Option<Credit>) {
        if let (Some(saving), Some(identity)) = (&mut self.0, identity) {
            saving.credits.insert(identity, credit);
        }
    }

    /// Saves everything noted, and what decides the tasks to come; waits until it is on disk.
    ///
    /// # Errors
    /// When that is not certain. What it led to must not be told to anyone then.
    pub async fn save(&mut self, cursor: Cursor, optimizer: &FarSign) -> Result<(), StoreError> {
        let Some(saving) = &mut self.0 else { return Ok(()) };
        if saving.unsaved.is_empty() && saving.credits.is_empty() && saving.cursor == cursor {
            return Ok(());
        }
        let is_due = optimizer.accepted() >= saving.next_checkpoint;
        let checkpoint = is_due.then(|| optimizer.state());
        let events = std::mem::take(&mut saving.unsaved);
        let credits = std::mem::take(&mut saving.credits).into_iter().collect();
        saving.writer.save(events, credits, cursor, checkpoint).await?;
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
