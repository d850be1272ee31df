//! Events of a batch, durable before its replies.

use std::collections::BTreeMap;

use farsign::identity::VolunteerIdentity;
use farsign::learner::TrustRecord;
use farsign::optimizer::FarSign;

use crate::store::StoreError;
use crate::store::event::{CoordinatorCounters, Event};
use crate::store::writer::Writer;

/// Events since the last durable batch. It does nothing if the run is not saved.
#[derive(Debug, Default)]
pub(super) struct Journal(Option<JournalState>);

#[derive(Debug)]
struct JournalState {
    writer: Writer,
    unsaved: Vec<Event>,
    /// Changed records by identity; `None` if the record was dropped.
    trust: BTreeMap<VolunteerIdentity, Option<TrustRecord>>,
    /// Counters of the last durable batch.
    counters: CoordinatorCounters,
    checkpoint_every: u64,
    /// Accepted updates at which the next checkpoint is due.
    checkpoint_due_at: u64,
}

impl Journal {
    /// Creates the journal of a run with `accepted` updates. `unsaved` events go with the first batch.
    pub fn new(
        writer: Writer,
        unsaved: Vec<Event>,
        counters: CoordinatorCounters,
        checkpoint_every: u64,
        accepted: u64,
    ) -> Self {
        let checkpoint_due_at = accepted + checkpoint_every;
        let trust = BTreeMap::new();
        Self(Some(JournalState {
            writer,
            unsaved,
            trust,
            counters,
            checkpoint_every,
            checkpoint_due_at,
        }))
    }

    /// Records an event of the optimizer.
    pub fn record(&mut self, event: impl FnOnce() -> Event) {
        if let Some(state) = &mut self.0 {
            state.unsaved.push(event());
        }
    }

    /// Records the changed trust of an identity; `None` if its record was dropped.
    pub fn record_trust(&mut self, identity: VolunteerIdentity, record: Option<TrustRecord>) {
        if let Some(state) = &mut self.0 {
            state.trust.insert(identity, record);
        }
    }

    /// Saves everything recorded, with the counters that decide the tasks to come, and waits until it is durable.
    ///
    /// # Errors
    /// Returns an error if the batch may not be durable. Its replies must not be sent then.
    pub async fn save(
        &mut self,
        counters: CoordinatorCounters,
        optimizer: &FarSign,
    ) -> Result<(), StoreError> {
        let Some(state) = &mut self.0 else {
            return Ok(());
        };
        if state.unsaved.is_empty() && state.trust.is_empty() && state.counters == counters {
            return Ok(());
        }
        let is_due = optimizer.accepted() >= state.checkpoint_due_at;
        let checkpoint = is_due.then(|| optimizer.state());
        let events = std::mem::take(&mut state.unsaved);
        let trust = std::mem::take(&mut state.trust).into_iter().collect();
        state
            .writer
            .save(events, trust, counters, checkpoint)
            .await?;
        state.counters = counters;
        if is_due {
            state.checkpoint_due_at = optimizer.accepted() + state.checkpoint_every;
        }
        Ok(())
    }

    /// Waits until everything is written and the files are closed.
    pub async fn close(self) {
        if let Some(state) = self.0 {
            state.writer.close().await;
        }
    }
}
