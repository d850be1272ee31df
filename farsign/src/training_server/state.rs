//! The state of a training server, to save it or to hand it over.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::task_ledger::TaskLedger;
use super::trust_store::TrustStore;
use super::volunteer::VolunteerState;
use super::{TrainingEvent, TrainingOptions, TrainingServer, TrustRecord, VerificationJob};
use crate::assignment::Assigner;
use crate::identity::VolunteerIdentity;
use crate::optimizer::{FarSign, FarSignOptions, FarSignState, RestoreError};
use crate::task::VolunteerId;
use crate::trust::TrustMean;
use crate::version::{Grid, GridSchedule, Version};

/// Counters that decide the tasks to come, besides the optimizer. No number and no seed is used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrainingCounters {
    /// Volunteers that have joined; the number of the newest.
    pub joined: u64,
    /// Number of the newest published version.
    pub version: u64,
    /// Running mean of the senders' trust.
    pub trust_mean: TrustMean,
}

/// The whole in-memory state of a training server: with its options, everything that decides further outcomes.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    optimizer: FarSignState,
    counters: TrainingCounters,
    /// The newest published version.
    version: Arc<Version>,
    grids: GridSchedule,
    ledger: TaskLedger,
    volunteers: BTreeMap<VolunteerId, VolunteerState>,
    departed: BTreeMap<VolunteerId, VolunteerState>,
    trust_store: TrustStore,
    events: Vec<TrainingEvent>,
    jobs: Vec<Arc<VerificationJob>>,
}

impl TrainingServer {
    /// Resumes a saved run without connected volunteers. `trust` comes in the order in which the records changed.
    pub fn resume(
        optimizer: FarSign,
        options: TrainingOptions,
        counters: TrainingCounters,
        trust: impl IntoIterator<Item = (VolunteerIdentity, TrustRecord)>,
    ) -> Self {
        let TrainingCounters {
            joined,
            version,
            trust_mean,
        } = counters;
        let accepted = optimizer.accepted();
        let grids = GridSchedule::new(optimizer.x(), accepted, optimizer.step_units());
        let mut server = Self {
            assigner: Assigner::new(options.assignment, options.keys.tasks),
            ledger: TaskLedger::default(),
            version: Arc::new(round(&optimizer, version, grids.shift())),
            grids,
            options,
            optimizer,
            volunteers: BTreeMap::new(),
            by_identity: BTreeMap::new(),
            departed: BTreeMap::new(),
            trust_store: TrustStore::default(),
            trust_mean,
            joined,
            signs: Arc::default(),
            events: std::collections::VecDeque::new(),
            jobs: std::collections::VecDeque::new(),
        };
        for (identity, record) in trust {
            if let Some(dropped) = server.trust_store.insert(identity, record) {
                server.events.push_back(TrainingEvent::TrustChanged {
                    identity: dropped,
                    record: None,
                });
            }
        }
        server
    }

    /// Returns the counters that decide the tasks to come.
    pub fn counters(&self) -> TrainingCounters {
        TrainingCounters {
            joined: self.joined,
            version: self.version.number(),
            trust_mean: self.trust_mean,
        }
    }

    /// Takes the state out of the server.
    pub fn into_state(self) -> TrainingState {
        TrainingState {
            counters: self.counters(),
            optimizer: self.optimizer.state(),
            version: self.version,
            grids: self.grids,
            ledger: self.ledger,
            volunteers: self.volunteers,
            departed: self.departed,
            trust_store: self.trust_store,
            events: self.events.into(),
            jobs: self.jobs.into(),
        }
    }

    /// Creates a server that continues from a state, bit for bit. `optimizer` are the options that the run began with.
    ///
    /// # Errors
    /// Returns an error if the state cannot be that of a server with these options.
    pub fn from_state(
        optimizer: FarSignOptions,
        options: TrainingOptions,
        state: TrainingState,
    ) -> Result<Self, RestoreError> {
        let optimizer = FarSign::restore(optimizer, state.optimizer)?;
        let mut server = Self::resume(optimizer, options, state.counters, []);
        server.version = state.version;
        server.grids = state.grids;
        server.by_identity = state
            .volunteers
            .iter()
            .filter_map(|(id, volunteer)| Some((volunteer.identity?, *id)))
            .collect();
        server.ledger = state.ledger;
        server.volunteers = state.volunteers;
        server.departed = state.departed;
        server.trust_store = state.trust_store;
        server.events = state.events.into();
        server.jobs = state.jobs.into();
        Ok(server)
    }
}

/// Rounds the optimizer's parameters to a grid.
pub(super) fn round(optimizer: &FarSign, number: u64, shift: u8) -> Version {
    let grid = Grid {
        fixed_point: optimizer.fixed_point(),
        shift,
    };
    Version::round(number, optimizer.accepted(), optimizer.x(), grid)
}
