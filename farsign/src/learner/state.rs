//! The state of a learner, to save it or to hand it over.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::trust_store::TrustStore;
use super::volunteer::VolunteerState;
use super::{Learner, LearnerOptions};
use crate::optimizer::{FarSign, FarSignOptions, FarSignState, RestoreError};
use crate::task::VolunteerId;
use crate::trust::TrustMean;

/// The whole state of a learner whose outputs were polled: with its options, everything that decides further outcomes.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnerState {
    pub(super) optimizer: FarSignState,
    pub(super) position: u64,
    pub(super) moved_at: u64,
    pub(super) verify_probability: Option<f64>,
    pub(super) trust_mean: TrustMean,
    pub(super) volunteers: BTreeMap<VolunteerId, VolunteerState>,
    pub(super) departed: BTreeMap<VolunteerId, VolunteerState>,
    pub(super) trust_store: TrustStore,
}

impl LearnerState {
    /// Returns the state of the optimizer.
    pub fn optimizer(&self) -> &FarSignState {
        &self.optimizer
    }

    /// Returns the position of the newest record; 0 before the first.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the oldest position that the state refers to; the next one if it refers to none. Older records are not needed
    /// to continue from it.
    pub fn oldest_reference(&self) -> u64 {
        let positions = self.references().map(|(position, _)| position);
        positions.min().unwrap_or(self.position + 1)
    }

    /// Returns the positions of the updates that the state refers to, with their senders.
    fn references(&self) -> impl Iterator<Item = (u64, VolunteerId)> {
        let volunteers = self.volunteers.iter().chain(&self.departed);
        volunteers.flat_map(|(id, state)| state.references().map(|position| (position, *id)))
    }

    /// Returns the state with another model.
    #[must_use]
    pub fn with_optimizer(self, optimizer: FarSignState) -> Self {
        Self {
            optimizer,
            moved_at: self.position,
            ..self
        }
    }

    /// Returns the state after this many records more, which are lost with all before. Updates that are not verified yet
    /// stay in the model.
    #[must_use]
    pub fn after_lost_records(mut self, records: u64) -> Self {
        self.position += records;
        self.moved_at = self.position;
        self.departed.clear();
        for volunteer in self.volunteers.values_mut() {
            volunteer.forget_updates();
        }
        self
    }
}

impl Learner {
    /// Creates the learner of a new run.
    pub fn new(optimizer: FarSign, options: LearnerOptions) -> Self {
        Self {
            verify_probability: options.verify_probability,
            options,
            optimizer,
            volunteers: BTreeMap::new(),
            by_identity: BTreeMap::new(),
            departed: BTreeMap::new(),
            trust_store: TrustStore::default(),
            trust_mean: TrustMean::default(),
            position: 0,
            moved_at: 0,
            records: VecDeque::new(),
            signs: Arc::default(),
            events: VecDeque::new(),
            jobs: VecDeque::new(),
            references: VecDeque::new(),
            left: Vec::new(),
        }
    }

    /// Takes the state out of a learner whose records, events and verifications were polled.
    pub fn into_state(self) -> LearnerState {
        self.state()
    }

    /// Returns the state of a learner whose records, events and verifications were polled.
    pub fn state(&self) -> LearnerState {
        let polled = self.records.is_empty() && self.events.is_empty() && self.jobs.is_empty();
        debug_assert!(polled, "an output would be lost");
        LearnerState {
            optimizer: self.optimizer.state(),
            position: self.position,
            moved_at: self.moved_at,
            verify_probability: self.verify_probability,
            trust_mean: self.trust_mean,
            volunteers: self.volunteers.clone(),
            departed: self.departed.clone(),
            trust_store: self.trust_store.clone(),
        }
    }

    /// Creates a learner that continues from a state, bit for bit. `optimizer` are the options that the run began with.
    ///
    /// # Errors
    /// Returns an error if the state cannot be that of a learner with these options.
    pub fn from_state(
        optimizer: FarSignOptions,
        options: LearnerOptions,
        state: LearnerState,
    ) -> Result<Self, RestoreError> {
        let mut references: Vec<_> = state.references().collect();
        references.sort_unstable();
        let optimizer = FarSign::restore(optimizer, state.optimizer)?;
        let identities = state.volunteers.iter();
        Ok(Self {
            references: references.into(),
            by_identity: identities
                .filter_map(|(id, volunteer)| Some((volunteer.identity?, *id)))
                .collect(),
            volunteers: state.volunteers,
            departed: state.departed,
            trust_store: state.trust_store,
            trust_mean: state.trust_mean,
            position: state.position,
            moved_at: state.moved_at,
            verify_probability: state.verify_probability,
            ..Self::new(optimizer, options)
        })
    }
}
