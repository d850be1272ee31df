//! The learner without I/O: volunteers, updates, weights, trust, verification and rollback.
//!
//! ```text
//!   Record                       +---------+
//!     Join, Leave, Eject         |         |   LearnerEvent       poll_event
//!     Update           --take--> | Learner |   VerificationJob    poll_verification
//!     Verdict, VerifyProbability |         |   x, last_step
//!                                +---------+
//! ```
//!
//! Its state is the fold of its records in their order, and depends on nothing else: there is no clock, no thread, no
//! generator and no memory limit inside. Numbers of volunteers are positions in the log. Which updates are verified follows
//! from their positions and the sampling key. Versions are only [attached](crate::attachment::Attached), for the
//! verifications that need them.
//!
//! The methods of the inputs, such as [`Learner::join`], each take one record, with what is attached to it. The caller that
//! keeps a log polls the records and appends them in their order.

pub mod codec;
mod event;
mod horizon;
mod publisher;
mod record;
mod removal;
mod state;
mod trust_store;
mod update;
mod verdict;
mod volunteer;

pub use event::{LearnerEvent, VerificationJob};
pub use horizon::HORIZON;
pub use publisher::VersionPublisher;
pub use record::{GatewayId, Record, Verdict, VerdictOutcome};
pub use state::LearnerState;
pub use trust_store::{MAX_TRUST_RECORDS, TrustRecord};
pub use update::AcceptedUpdate;
pub use verdict::VerificationOutcome;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::attachment::Attached;
use crate::identity::VolunteerIdentity;
use crate::keys::Key;
use crate::optimizer::FarSign;
use crate::sign::SignBits;
use crate::task::{GoodbyeReason, VolunteerId};
use crate::task_issuer::ClosedTask;
use crate::trust::TrustMean;
use crate::verification::recomputed_fraction;
use crate::version::Version;
use trust_store::TrustStore;
use volunteer::VolunteerState;

/// Options of a learner, besides those of its optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearnerOptions {
    /// Key of the updates that are verified.
    pub sampling_key: Key,
    /// Probability, in `(0, 1]`, that an update of an established volunteer is verified at the start of the run. `None` if
    /// updates are not verified; trust is then 1.
    pub verify_probability: Option<f64>,
    /// Records after which an unverified update is forgotten, at least 1; [`HORIZON`] in the product.
    pub horizon: u64,
    /// A fault to inject. `None` in the product.
    pub fault: Option<InjectedFault>,
}

/// What a record led to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RecordEffect {
    /// An update that moved the model.
    Accepted(AcceptedUpdate),
    /// A verdict.
    Verdict(VerificationOutcome),
    /// Another record, or an update that moved nothing.
    Other,
}

/// A fault of the learner, injected to check that results show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    /// Signs are flipped before they are applied.
    SignsFlipped,
    /// Every update has the weight 1.
    WeightsIgnored,
    /// Every verification passes.
    VerificationDisabled,
}

/// A learner without I/O.
#[derive(Debug)]
pub struct Learner {
    options: LearnerOptions,
    /// The current probability of the options.
    verify_probability: Option<f64>,
    optimizer: FarSign,
    volunteers: BTreeMap<VolunteerId, VolunteerState>,
    /// Connected volunteers by identity, for volunteers that sent one.
    by_identity: BTreeMap<VolunteerIdentity, VolunteerId>,
    /// Volunteers that left while a verification of their updates is running.
    departed: BTreeMap<VolunteerId, VolunteerState>,
    trust_store: TrustStore,
    trust_mean: TrustMean,
    /// Position of the newest record; 0 before the first.
    position: u64,
    /// Position of the newest record that moved the model.
    moved_at: u64,
    /// Records that were taken and not polled.
    records: VecDeque<Record>,
    /// The signs of the newest update.
    signs: Arc<SignBits>,
    events: VecDeque<LearnerEvent>,
    jobs: VecDeque<Arc<VerificationJob>>,
    /// Positions of updates within the horizon, in order, with their senders. Those that are verified are among them.
    references: VecDeque<(u64, VolunteerId)>,
    /// Volunteers that an input without a record has removed since [`Learner::take_left`].
    left: Vec<VolunteerId>,
}

impl Learner {
    /// Takes the next record of a log in which each record is a message of its own.
    ///
    /// A record that does not fit the state, such as a second update to a task, changes nothing.
    pub fn take(&mut self, record: &Record) {
        self.take_message(self.position + 1, record, Attached::default());
    }

    /// Takes the next record of a log, from the message with this number, and attaches the version of an update's task.
    ///
    /// A message with a join has no other record, so that its number is that of the volunteer.
    pub fn take_message(
        &mut self,
        number: u64,
        record: &Record,
        version: Attached<Arc<Version>>,
    ) -> RecordEffect {
        let effect = match record {
            Record::Join { identity, gateway } => {
                self.join_as(VolunteerId(number), *identity, *gateway);
                RecordEffect::Other
            }
            Record::Update {
                volunteer,
                task,
                signs,
            } => {
                let task = *task;
                self.take_update(*volunteer, ClosedTask { task, version }, signs.as_ref())
            }
            Record::Verdict(verdict) => RecordEffect::Verdict(self.handle_verdict(*verdict)),
            Record::Leave(volunteer) => {
                self.leave(*volunteer);
                RecordEffect::Other
            }
            Record::GatewayLost(gateway) => {
                self.lose_gateway(*gateway);
                RecordEffect::Other
            }
            Record::Eject { volunteer, reason } => {
                self.eject(*volunteer, *reason);
                RecordEffect::Other
            }
            Record::VerifyProbability(probability) => {
                self.set_verify_probability(*probability);
                RecordEffect::Other
            }
        };
        self.records.pop_back(); // the caller has it
        self.left.clear(); // each is an event, too
        effect
    }

    fn take_update(
        &mut self,
        volunteer: VolunteerId,
        closed: ClosedTask,
        signs: Option<&Arc<SignBits>>,
    ) -> RecordEffect {
        let Some(signs) = signs else {
            self.skip_update(volunteer, &closed);
            return RecordEffect::Other;
        };
        match self.update(volunteer, &closed, signs, 1.0) {
            Ok(update) => RecordEffect::Accepted(update),
            Err(_) => RecordEffect::Other,
        }
    }

    /// Passes a record over, as if its volunteer had not taken part.
    pub fn pass_over(&mut self) {
        self.advance();
    }

    /// Drops the records, events and verifications that were not polled, and the volunteers that were removed.
    pub fn drop_outputs(&mut self) {
        self.records.clear();
        self.events.clear();
        self.jobs.clear();
        self.left.clear();
    }

    /// Ends the sessions of all volunteers and all running verifications, after which the state refers to no record.
    pub fn end_sessions(&mut self) {
        let states = self.volunteers.values().chain(self.departed.values());
        let running: Vec<_> = states.filter_map(|state| state.running.clone()).collect();
        for job in running {
            self.handle_verdict(job.verdict(VerdictOutcome::Skipped));
        }
        let connected: Vec<_> = self.volunteers.keys().copied().collect();
        connected
            .into_iter()
            .for_each(|volunteer| self.leave(volunteer));
        self.references.clear();
    }

    /// Sets the probability that an update of an established volunteer is verified. Ignored if updates are not verified.
    pub fn set_verify_probability(&mut self, probability: f64) {
        self.begin(Record::VerifyProbability(probability));
        if let Some(current) = &mut self.verify_probability {
            *current = probability;
        }
    }

    /// Returns the probability that an update of an established volunteer is verified. `None` if updates are not verified.
    pub fn verify_probability(&self) -> Option<f64> {
        self.verify_probability
    }

    /// Begins a record, and returns its position.
    fn begin(&mut self, record: Record) -> u64 {
        self.records.push_back(record);
        self.advance()
    }

    /// Moves to the position of the next record, and returns it.
    fn advance(&mut self) -> u64 {
        self.position += 1;
        self.forget_old();
        self.position
    }

    /// Adds a volunteer, with the position of the record as its number. A connected volunteer of the same identity is
    /// ejected; its trust carries over.
    pub fn join(&mut self, identity: Option<VolunteerIdentity>) -> VolunteerId {
        let volunteer = VolunteerId(self.position + 1);
        self.join_as(volunteer, identity, GatewayId::default());
        volunteer
    }

    fn join_as(
        &mut self,
        volunteer: VolunteerId,
        identity: Option<VolunteerIdentity>,
        gateway: GatewayId,
    ) {
        self.begin(Record::Join { identity, gateway });
        let mut record = TrustRecord::default();
        if let Some(identity) = identity {
            if let Some(previous) = self.by_identity.get(&identity).copied() {
                self.remove_for(previous, GoodbyeReason::SessionReplaced);
            }
            self.by_identity.insert(identity, volunteer);
            record = self.trust_store.remove(identity);
        }
        self.optimizer.join(volunteer);
        self.events.push_back(LearnerEvent::Joined(volunteer));
        let state = VolunteerState {
            identity,
            gateway,
            record,
            ..VolunteerState::default()
        };
        self.volunteers.insert(volunteer, state);
    }

    /// Returns the oldest record that was taken and not polled. `None` if there is none.
    pub fn poll_record(&mut self) -> Option<Record> {
        self.records.pop_front()
    }

    /// Returns the oldest event that was not polled. `None` if there is none.
    pub fn poll_event(&mut self) -> Option<LearnerEvent> {
        self.events.pop_front()
    }

    /// Returns the oldest verification that was not polled. `None` if there is none.
    ///
    /// The caller recomputes its updates, and reports its verdict with [`Learner::handle_verdict`].
    pub fn poll_verification(&mut self) -> Option<Arc<VerificationJob>> {
        self.jobs.pop_front()
    }

    /// Takes the volunteers that were removed since the last call.
    pub fn take_left(&mut self) -> impl Iterator<Item = VolunteerId> {
        self.left.drain(..)
    }

    /// Returns the running verifications.
    pub fn running(&self) -> impl Iterator<Item = &Arc<VerificationJob>> {
        let states = self.volunteers.values().chain(self.departed.values());
        states.filter_map(|state| state.running.as_ref())
    }

    /// Returns the gateways of the connected volunteers.
    pub fn gateways(&self) -> BTreeSet<GatewayId> {
        self.volunteers
            .values()
            .map(|state| state.gateway)
            .collect()
    }

    /// Returns the optimizer.
    pub fn optimizer(&self) -> &FarSign {
        &self.optimizer
    }

    /// Returns the position of the newest record; 0 before the first.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the position of the newest record that moved the model; 0 before the first.
    pub fn moved_at(&self) -> u64 {
        self.moved_at
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
        let Some(probability) = self.verify_probability else {
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
