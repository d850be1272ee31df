//! The state of a learner, to save it or to hand it over.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::trust_store::TrustStore;
use super::volunteer::VolunteerState;
use super::{Learner, LearnerEvent, LearnerOptions, TrustRecord};
use crate::identity::VolunteerIdentity;
use crate::optimizer::{FarSign, FarSignOptions, FarSignState, RestoreError};
use crate::task::VolunteerId;
use crate::trust::TrustMean;

/// The whole state of a learner whose outputs were polled: with its options, everything that decides further outcomes.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnerState {
    pub(super) optimizer: FarSignState,
    pub(super) position: u64,
    pub(super) trust_mean: TrustMean,
    pub(super) volunteers: BTreeMap<VolunteerId, VolunteerState>,
    pub(super) departed: BTreeMap<VolunteerId, VolunteerState>,
    pub(super) trust_store: TrustStore,
}

impl Learner {
    /// Creates the learner of a new run.
    pub fn new(optimizer: FarSign, options: LearnerOptions) -> Self {
        Self::resume(optimizer, options, 0, TrustMean::default(), [])
    }

    /// Resumes a saved run without connected volunteers, whose newest record has this position. `trust` comes in the order
    /// in which it changed.
    pub fn resume(
        optimizer: FarSign,
        options: LearnerOptions,
        position: u64,
        trust_mean: TrustMean,
        trust: impl IntoIterator<Item = (VolunteerIdentity, TrustRecord)>,
    ) -> Self {
        let mut learner = Self {
            options,
            optimizer,
            volunteers: BTreeMap::new(),
            by_identity: BTreeMap::new(),
            departed: BTreeMap::new(),
            trust_store: TrustStore::default(),
            trust_mean,
            position,
            records: VecDeque::new(),
            signs: Arc::default(),
            events: VecDeque::new(),
            jobs: VecDeque::new(),
            references: VecDeque::new(),
            left: Vec::new(),
        };
        for (identity, record) in trust {
            if let Some(dropped) = learner.trust_store.insert(identity, record) {
                learner.events.push_back(LearnerEvent::TrustChanged {
                    identity: dropped,
                    record: None,
                });
            }
        }
        learner
    }

    /// Takes the state out of a learner whose records, events and verifications were polled.
    pub fn into_state(self) -> LearnerState {
        let polled = self.records.is_empty() && self.events.is_empty() && self.jobs.is_empty();
        debug_assert!(polled, "an output would be lost");
        LearnerState {
            optimizer: self.optimizer.state(),
            position: self.position,
            trust_mean: self.trust_mean,
            volunteers: self.volunteers,
            departed: self.departed,
            trust_store: self.trust_store,
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
        let optimizer = FarSign::restore(optimizer, state.optimizer)?;
        let learner = Self::resume(optimizer, options, state.position, state.trust_mean, []);
        let identities = state.volunteers.iter();
        let mut references: Vec<(u64, VolunteerId)> = state
            .volunteers
            .iter()
            .chain(&state.departed)
            .flat_map(|(id, volunteer)| volunteer.references().map(|position| (position, *id)))
            .collect();
        references.sort_unstable();
        Ok(Self {
            references: references.into(),
            by_identity: identities
                .filter_map(|(id, volunteer)| Some((volunteer.identity?, *id)))
                .collect(),
            volunteers: state.volunteers,
            departed: state.departed,
            trust_store: state.trust_store,
            ..learner
        })
    }
}
