//! Who goes: by itself, because the host says so, or for a wrong answer.

use farsign::task::{GoodbyeReason, TaskId, VolunteerId};

use super::Coordinator;
use super::checks::Checked;
use super::member::Member;
use crate::admission::bans::Ban;
use crate::admission::identity::Identity;
use crate::places::Network;
use crate::store::event::Event;

/// Some of the volunteers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The one with this id.
    Volunteer(VolunteerId),
    /// The one who is this, if it is there.
    Identity(Identity),
    /// All from there.
    Network(Network),
}

impl Coordinator {
    /// A volunteer has left.
    pub(super) fn left(&mut self, volunteer: VolunteerId) {
        if let Some(member) = self.forget(volunteer) {
            self.depart(volunteer, member);
        }
    }

    /// What a volunteer that is gone did last can still be taken back while a check of it is under way, whyever it went:
    /// or a liar could have its session ended, by joining again under its name, and keep what it did.
    fn depart(&mut self, volunteer: VolunteerId, member: Member) {
        if member.unchecked.is_checking() {
            self.departed.insert(volunteer, member);
        }
    }

    /// A volunteer is not there any more; none when it was not.
    fn forget(&mut self, volunteer: VolunteerId) -> Option<Member> {
        let member = self.members.remove(&volunteer)?; // else it was removed before its session ended
        self.optimizer.leave(volunteer);
        self.durable.note(|| Event::Leave(volunteer));
        self.ledger.expire(volunteer);
        if let Some(identity) = member.who.identity {
            self.present.remove(&identity);
            self.durable.note_credit(self.credits.keep(identity, member.credit()), None);
        }
        Some(member)
    }

    /// A wrong answer removes its sender, takes back what it did lately, and shuts it out for good.
    pub(super) fn checked(&mut self, Checked { volunteer, identity, last, wrong }: Checked) {
        let departed = self.departed.remove(&volunteer);
        let Some(wrong) = wrong else {
            self.found_right(volunteer, identity, last);
            return;
        };
        let member = self.forget(volunteer).or(departed);
        if let Some(identity) = identity {
            self.admission.ban(Ban::Identity(identity));
            if let Some(again) = self.present.get(&identity).copied() {
                self.take_out(again, GoodbyeReason::Banned); // it had left, and come back
            }
            self.credits.take(identity);
            self.durable.note_credit(Some(identity), None);
        }
        let Some(mut member) = member else { return }; // taken out above, for what it did before
        tracing::warn!(
            event = "removed",
            volunteer = volunteer.0,
            task = wrong.0,
            address = %member.who.network,
            "an answer was not what its task asks for"
        );
        self.undo(volunteer, &member);
        self.dismiss(volunteer, &mut member, GoodbyeReason::WrongAnswer);
    }

    fn found_right(&mut self, volunteer: VolunteerId, identity: Option<Identity>, last: TaskId) {
        match (self.members.get_mut(&volunteer), identity) {
            (Some(member), identity) => {
                member.passed(last);
                self.durable.note_credit(identity, Some(member.credit()));
            }
            (None, Some(identity)) => {
                if let Some(credit) = self.credits.passed(identity) {
                    self.durable.note_credit(Some(identity), Some(credit));
                }
            }
            (None, None) => {} // nobody knows who that was
        }
    }

    /// Ends the session of somebody who was found lying in an earlier one, and takes back what it did.
    fn take_out(&mut self, volunteer: VolunteerId, reason: GoodbyeReason) {
        if let Some(mut member) = self.forget(volunteer) {
            self.undo(volunteer, &member);
            self.dismiss(volunteer, &mut member, reason);
        }
    }

    /// Takes back what a volunteer did lately. A finished model stays as it is.
    fn undo(&mut self, volunteer: VolunteerId, member: &Member) {
        for step in member.moves.undo() {
            if !self.optimizer.is_finished() && self.optimizer.undo(&step).is_ok() {
                self.steps.push(self.optimizer.last_step());
                self.durable.note(|| Event::Undone { volunteer, step });
            }
        }
    }

    /// Tells the host why a session ends, and the session, which may have ended or be ending by itself.
    fn dismiss(&mut self, volunteer: VolunteerId, member: &mut Member, reason: GoodbyeReason) {
        self.snapshot_at = 0;
        self.removals.note(volunteer, member, reason);
        if let Some(session) = member.removal.take() {
            _ = session.send(reason);
        }
    }

    /// Ends sessions; how many.
    pub(super) fn remove(&mut self, whom: Whom, reason: GoodbyeReason) -> usize {
        let meant: Vec<VolunteerId> = match whom {
            Whom::Volunteer(volunteer) => vec![volunteer],
            Whom::Identity(identity) => self.present.get(&identity).copied().into_iter().collect(),
            Whom::Network(network) => {
                let there = self.members.iter().filter(|(_, member)| member.who.network == network);
                there.map(|(volunteer, _)| *volunteer).collect()
            }
        };
        let mut ended = 0;
        for volunteer in meant {
            let Some(mut member) = self.forget(volunteer) else { continue };
            self.dismiss(volunteer, &mut member, reason);
            self.depart(volunteer, member);
            ended += 1;
        }
        ended
    }
}
