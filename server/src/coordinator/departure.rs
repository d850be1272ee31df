//! Who goes: by itself, because the host says so, or for a wrong answer.

use farsign::task::{GoodbyeReason, VolunteerId};

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
    /// A volunteer is not there any more; none when it was not.
    pub(super) fn forget(&mut self, volunteer: VolunteerId) -> Option<Member> {
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
        let Some(wrong) = wrong else {
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
            return;
        };
        let member = self.forget(volunteer);
        if let Some(identity) = identity {
            self.admission.ban(Ban::Identity(identity));
            self.remove(Whom::Identity(identity), GoodbyeReason::Banned); // it may have come back
            self.credits.take(identity);
            self.durable.note_credit(Some(identity), None);
        }
        let Some(member) = member else { return }; // it has left
        self.removals.note(volunteer, &member, GoodbyeReason::WrongAnswer);
        self.snapshot_at = 0;
        tracing::warn!(
            event = "removed",
            volunteer = volunteer.0,
            task = wrong.0,
            address = %member.who.network,
            "an answer was not what its task asks for"
        );
        for step in member.moves.undo() {
            // A finished model stays as it is.
            if !self.optimizer.is_finished() && self.optimizer.undo(&step).is_ok() {
                self.steps.push(self.optimizer.last_step());
                self.durable.note(|| Event::Undone { volunteer, step });
            }
        }
        _ = member.removal.send(GoodbyeReason::WrongAnswer); // its session may be ending
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
            let Some(member) = self.forget(volunteer) else { continue };
            self.removals.note(volunteer, &member, reason);
            _ = member.removal.send(reason); // the session may be ending by itself
            ended += 1;
        }
        ended
    }
}
