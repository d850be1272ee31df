//! Volunteers that leave or are ejected, and the rollback of their updates.

use super::{GatewayId, Learner, LearnerEvent, Record};
use crate::identity::VolunteerIdentity;
use crate::learner::volunteer::VolunteerState;
use crate::task::{GoodbyeReason, TaskId, VolunteerId};
use crate::verification::VerificationChain;

impl Learner {
    /// Removes a volunteer that has left. Ignored if it is not connected.
    pub fn leave(&mut self, volunteer: VolunteerId) {
        self.begin(Record::Leave(volunteer));
        if let Some(state) = self.remove(volunteer) {
            self.retain_for_verification(volunteer, state);
        }
    }

    /// Removes all volunteers of a gateway that has failed.
    pub fn lose_gateway(&mut self, gateway: GatewayId) {
        self.begin(Record::GatewayLost(gateway));
        for volunteer in self.volunteers_of(gateway) {
            if let Some(state) = self.remove(volunteer) {
                self.retain_for_verification(volunteer, state);
            }
        }
    }

    /// Returns the connected volunteers of a gateway.
    fn volunteers_of(&self, gateway: GatewayId) -> Vec<VolunteerId> {
        let volunteers = self.volunteers.iter();
        let of_gateway = volunteers.filter(|(_, state)| state.gateway == gateway);
        of_gateway.map(|(volunteer, _)| *volunteer).collect()
    }

    /// Ejects a volunteer. Returns whether it was connected.
    pub fn eject(&mut self, volunteer: VolunteerId, reason: GoodbyeReason) -> bool {
        self.begin(Record::Eject { volunteer, reason });
        self.remove_for(volunteer, reason)
    }

    /// Removes a volunteer for a reason. Returns whether it was connected.
    pub(super) fn remove_for(&mut self, volunteer: VolunteerId, reason: GoodbyeReason) -> bool {
        let Some(state) = self.remove(volunteer) else {
            return false;
        };
        self.events.push_back(LearnerEvent::Ejected {
            volunteer,
            reason,
            record: state.record,
        });
        self.retain_for_verification(volunteer, state);
        true
    }

    /// Removes a volunteer without a record, for a replay without it.
    pub fn forget_volunteer(&mut self, volunteer: VolunteerId) {
        self.disconnect(volunteer);
        self.departed.remove(&volunteer);
    }

    /// Keeps the updates of a volunteer that is gone while a verification of them is running. An attacker could
    /// otherwise keep its updates in the model by ending its session, or by joining again under its identity.
    fn retain_for_verification(&mut self, volunteer: VolunteerId, mut state: VolunteerState) {
        if state.running.is_some() {
            state.chain = VerificationChain::default(); // no further update continues it
            self.departed.insert(volunteer, state);
        }
    }

    /// Removes a volunteer and stores its trust. `None` if it is not connected.
    fn remove(&mut self, volunteer: VolunteerId) -> Option<VolunteerState> {
        let state = self.disconnect(volunteer)?;
        if let Some(identity) = state.identity {
            self.trust_store.insert(identity, state.record);
        }
        Some(state)
    }

    /// Removes a volunteer without storing its trust. `None` if it is not connected.
    fn disconnect(&mut self, volunteer: VolunteerId) -> Option<VolunteerState> {
        let state = self.volunteers.remove(&volunteer)?;
        self.optimizer.leave(volunteer);
        self.events.push_back(LearnerEvent::Left(volunteer));
        self.left.push(volunteer);
        if let Some(identity) = state.identity {
            self.by_identity.remove(&identity);
        }
        Some(state)
    }

    pub(super) fn on_passed(
        &mut self,
        volunteer: VolunteerId,
        identity: Option<VolunteerIdentity>,
        last: TaskId,
    ) {
        self.departed.remove(&volunteer);
        if let Some(state) = self.volunteers.get_mut(&volunteer) {
            state.record_pass(last);
        } else if let Some(identity) = identity {
            self.record_late_pass(identity);
        }
    }

    /// Adds to the trust of an identity whose verified session has ended. It may have joined again since.
    fn record_late_pass(&mut self, identity: VolunteerIdentity) {
        let again = self.by_identity.get(&identity);
        if let Some(again) = again.and_then(|again| self.volunteers.get_mut(again)) {
            again.record.record_pass();
        } else {
            self.trust_store.record_pass(identity);
        }
    }

    pub(super) fn on_failed(
        &mut self,
        volunteer: VolunteerId,
        identity: Option<VolunteerIdentity>,
        task: TaskId,
    ) {
        let departed = self.departed.remove(&volunteer);
        let state = self.disconnect(volunteer).or(departed);
        if let Some(identity) = identity {
            self.events.push_back(LearnerEvent::Banned(identity));
            if let Some(again) = self.by_identity.get(&identity).copied() {
                self.eject_and_roll_back(again, GoodbyeReason::Banned);
            }
            self.roll_back_departed(identity);
            self.trust_store.remove(identity);
        }
        let Some(state) = state else { return };
        self.events
            .push_back(LearnerEvent::VerificationFailed { volunteer, task });
        self.roll_back(volunteer, &state);
        self.events.push_back(LearnerEvent::Ejected {
            volunteer,
            reason: GoodbyeReason::FailedVerification,
            record: state.record,
        });
    }

    /// Ejects a volunteer whose identity failed verification in an earlier session.
    fn eject_and_roll_back(&mut self, volunteer: VolunteerId, reason: GoodbyeReason) {
        let Some(state) = self.disconnect(volunteer) else {
            return;
        };
        self.roll_back(volunteer, &state);
        self.events.push_back(LearnerEvent::Ejected {
            volunteer,
            reason,
            record: state.record,
        });
    }

    /// Rolls the updates of an identity's other departed sessions back.
    fn roll_back_departed(&mut self, identity: VolunteerIdentity) {
        let departed = std::mem::take(&mut self.departed);
        let (others, kept): (Vec<_>, Vec<_>) = departed
            .into_iter()
            .partition(|(_, state)| state.identity == Some(identity));
        self.departed = kept.into_iter().collect();
        for (volunteer, state) in others {
            self.roll_back(volunteer, &state);
        }
    }

    /// Rolls a volunteer's unverified updates back. A finished model is left unchanged.
    fn roll_back(&mut self, volunteer: VolunteerId, state: &VolunteerState) {
        for step in state.unverified.rollback_steps() {
            if !self.optimizer.is_finished() && self.optimizer.rollback(&step).is_ok() {
                self.moved_at = self.position;
                self.events
                    .push_back(LearnerEvent::RolledBack { volunteer, step });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::Attached;
    use crate::direction::{DirectionFamily, DirectionSpec};
    use crate::keys::Key;
    use crate::learner::LearnerOptions;
    use crate::optimizer::{FarSign, FarSignOptions, Rule};
    use crate::schedule::{Decay, StepSize};

    fn learner() -> Learner {
        let directions = DirectionSpec::new(DirectionFamily::Coordinate, 3, 3).unwrap();
        let step_size = StepSize {
            initial: 0.01,
            decay: Decay::Constant,
        };
        let optimizer = FarSignOptions::new(&[0.5; 3], directions, step_size, Rule::Plain).unwrap();
        let options = LearnerOptions {
            sampling_key: Key::new([2; 32]),
            verify_probability: None,
            horizon: 10,
            fault: None,
        };
        Learner::new(FarSign::new(optimizer), options)
    }

    fn join(learner: &mut Learner, message: u64, gateway: u64) {
        let record = Record::Join {
            identity: None,
            gateway: GatewayId(gateway),
        };
        learner.take_message(message, &record, Attached::default());
    }

    #[test]
    fn message_number_names_volunteer() {
        let mut learner = learner();
        join(&mut learner, 40, 1);
        assert!(learner.record(VolunteerId(40)).is_some());
        assert_eq!(learner.position(), 1);
    }

    #[test]
    fn lost_gateway_takes_its_volunteers() {
        let mut learner = learner();
        for (message, gateway) in [(1, 7), (2, 8), (3, 7)] {
            join(&mut learner, message, gateway);
        }
        learner.take(&Record::GatewayLost(GatewayId(7)));
        let connected = [1, 2, 3].map(|id| learner.record(VolunteerId(id)).is_some());
        assert_eq!(connected, [false, true, false]);
        assert_eq!(learner.take_left().count(), 0, "they are events");
    }
}
