//! The training server without I/O: volunteers, tasks, updates, weights, trust, verification and rollback.
//!
//! ```text
//!   inputs                                        outputs
//!     join, leave, eject                            TrainingEvent      poll_event
//!     next_task(size)           +-----------------+ IssuedTask
//!     further_task              |                 |
//!     handle_update(bits)       | TrainingServer  | AcceptedUpdate or RejectReason, last_step
//!     publish                   +-----------------+ Version
//!     handle_verification                           VerificationJob    poll_verification
//!     skip_recording, skip_verification
//! ```
//!
//! The outcome depends on the sequence of inputs alone. There is no clock, no thread, no generator and no memory limit
//! inside: unpredictable words follow from the keys of the run ([`RunKeys`]) and the numbers of tasks and updates, and a
//! lack of memory or of queue capacity is reported with an input. The server of the product and the simulator run the same
//! state machine.
//!
//! Versions of the model are published with [`TrainingServer::publish`]. The caller decides when: after
//! [`crate::assignment::updates_between_snapshots`] accepted updates since the last at the earliest.

mod event;
mod removal;
mod state;
mod task_ledger;
#[cfg(all(test, not(target_family = "wasm")))] // proptest does not run in a browser
mod tests;
mod trust_store;
mod update;
mod volunteer;

pub use event::{TrainingEvent, VerificationJob};
pub use state::{TrainingCounters, TrainingState};
pub use trust_store::{MAX_TRUST_RECORDS, TrustRecord};
pub use update::{
    AcceptedUpdate, IssuedTask, UpdateOutcome, VerificationOutcome, VerificationResult,
};

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::assignment::{Assigner, AssignmentOptions};
use crate::identity::VolunteerIdentity;
use crate::keys::RunKeys;
use crate::optimizer::FarSign;
use crate::sign::SignBits;
use crate::step::Step;
use crate::task::{GoodbyeReason, VolunteerId};
use crate::trust::TrustMean;
use crate::verification::recomputed_fraction;
use crate::version::{GridSchedule, Version};
use task_ledger::TaskLedger;
use trust_store::TrustStore;
use volunteer::VolunteerState;

/// Options of a training server, besides those of its optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingOptions {
    /// Assignment of tasks.
    pub assignment: AssignmentOptions,
    /// Keys of the run.
    pub keys: RunKeys,
    /// Probability, in `(0, 1]`, that an update of an established volunteer is verified. `None` if updates are not
    /// verified; trust is then 1.
    pub verify_probability: Option<f64>,
    /// Direction seed of all tasks, in place of the assigned ones. `None` in the product.
    pub direction_seed: Option<u64>,
    /// A fault to inject. `None` in the product.
    pub fault: Option<InjectedFault>,
}

/// A fault of the training server, injected to check that results show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    /// Signs are flipped before they are applied.
    SignsFlipped,
    /// Every update has the weight 1.
    WeightsIgnored,
    /// Every verification passes.
    VerificationDisabled,
}

/// A training server without I/O.
#[derive(Debug)]
pub struct TrainingServer {
    options: TrainingOptions,
    optimizer: FarSign,
    assigner: Assigner,
    ledger: TaskLedger,
    volunteers: BTreeMap<VolunteerId, VolunteerState>,
    /// Connected volunteers by identity, for volunteers that sent one.
    by_identity: BTreeMap<VolunteerIdentity, VolunteerId>,
    /// Volunteers that left while a verification of their updates is running.
    departed: BTreeMap<VolunteerId, VolunteerState>,
    trust_store: TrustStore,
    trust_mean: TrustMean,
    joined: u64,
    /// The newest published version, which tasks are issued against.
    version: Arc<Version>,
    grids: GridSchedule,
    /// The signs of the newest update.
    signs: Arc<SignBits>,
    events: VecDeque<TrainingEvent>,
    jobs: VecDeque<Arc<VerificationJob>>,
}

impl TrainingServer {
    /// Creates a server of a new run.
    pub fn new(optimizer: FarSign, options: TrainingOptions) -> Self {
        Self::resume(optimizer, options, TrainingCounters::default(), [])
    }

    /// Adds a volunteer. A connected volunteer of the same identity is ejected; its trust carries over.
    pub fn join(&mut self, identity: Option<VolunteerIdentity>) -> VolunteerId {
        self.joined += 1;
        let volunteer = VolunteerId(self.joined);
        let mut record = TrustRecord::default();
        if let Some(identity) = identity {
            if let Some(previous) = self.by_identity.get(&identity).copied() {
                self.eject(previous, GoodbyeReason::SessionReplaced);
            }
            self.by_identity.insert(identity, volunteer);
            record = self.trust_store.remove(identity);
        }
        self.optimizer.join(volunteer);
        self.events.push_back(TrainingEvent::Joined(volunteer));
        let state = VolunteerState {
            identity,
            record,
            ..VolunteerState::default()
        };
        self.volunteers.insert(volunteer, state);
        volunteer
    }

    /// Publishes the current parameters on the grid. Tasks are issued against them from now on.
    ///
    /// The last version of a run has the finest grid, so nothing of the model is lost.
    pub fn publish(&mut self) -> &Arc<Version> {
        let optimizer = &self.optimizer;
        let accepted = optimizer.accepted();
        let mut shift = self
            .grids
            .advance(optimizer.x(), accepted, optimizer.active());
        if optimizer.is_finished() {
            shift = 0;
        }
        self.version = Arc::new(state::round(optimizer, self.version.number() + 1, shift));
        &self.version
    }

    /// Returns the newest published version.
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// Returns the oldest event that was not polled. `None` if there is none.
    pub fn poll_event(&mut self) -> Option<TrainingEvent> {
        self.events.pop_front()
    }

    /// Returns the oldest verification that was not polled. `None` if there is none.
    ///
    /// The caller recomputes its updates and reports with [`TrainingServer::handle_verification`], or drops it and
    /// reports with [`TrainingServer::skip_verification`].
    pub fn poll_verification(&mut self) -> Option<Arc<VerificationJob>> {
        self.jobs.pop_front()
    }

    /// Returns the optimizer.
    pub fn optimizer(&self) -> &FarSign {
        &self.optimizer
    }

    /// Returns the newest step: that of the last accepted update, or of the last rollback.
    pub fn last_step(&self) -> &Step {
        self.optimizer.last_step()
    }

    /// Returns the number of tasks issued since the server was created.
    pub fn issued(&self) -> u64 {
        self.ledger.issued()
    }

    /// Returns the signs of the last accepted update.
    pub fn last_signs(&self) -> &Arc<SignBits> {
        &self.signs
    }

    /// Returns the record of a connected volunteer. `None` if it is not connected.
    pub fn record(&self, volunteer: VolunteerId) -> Option<TrustRecord> {
        self.volunteers.get(&volunteer).map(|state| state.record)
    }

    /// Returns the connected volunteer of an identity. `None` if it is not connected.
    pub fn volunteer(&self, identity: VolunteerIdentity) -> Option<VolunteerId> {
        self.by_identity.get(&identity).copied()
    }

    /// Returns the accepted updates of an identity over all its sessions.
    pub fn accepted(&self, identity: VolunteerIdentity) -> u64 {
        let connected = self
            .volunteer(identity)
            .and_then(|volunteer| self.record(volunteer));
        connected
            .or_else(|| self.trust_store.record(identity))
            .map_or(0, |record| record.accepted)
    }

    /// Returns the expected fraction of the connected volunteers' updates that are recomputed; 0 without verification.
    pub fn recomputed_fraction(&self) -> f64 {
        let Some(probability) = self.options.verify_probability else {
            return 0.0;
        };
        let fractions = self
            .volunteers
            .values()
            .map(|state| recomputed_fraction(state.record.trust.verify_probability(probability)));
        fractions.sum::<f64>() / self.volunteers.len().max(1) as f64
    }

    /// Returns whether a volunteer left while a verification of its updates is running.
    pub fn is_departed(&self, volunteer: VolunteerId) -> bool {
        self.departed.contains_key(&volunteer)
    }
}
