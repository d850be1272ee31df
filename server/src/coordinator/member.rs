//! What the coordinator knows of a volunteer.

use std::time::Instant;

use farsign::assignment::VolunteerAssignment;
use farsign::moves::UncheckedMoves;
use farsign::task::{GoodbyeReason, TaskId, VolunteerId};
use farsign::trust::Trust;
use farsign::wire::Abilities;
use tokio::sync::oneshot;

use super::checks::Unchecked;
use super::conduct::Conduct;
use crate::admission::identity::Identity;
use crate::effort::Effort;
use crate::places::Network;
use crate::store::event::Credit;

/// Who joins.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// What it can take.
    pub abilities: Abilities,
    /// What it says its program is.
    pub agent: String,
    /// Where it is.
    pub network: Network,
    /// Who it is, if it says so.
    pub identity: Option<Identity>,
}

/// A volunteer that has joined.
#[derive(Debug)]
pub struct Member {
    /// Who it is.
    pub who: Newcomer,
    /// How it works.
    pub conduct: Conduct,
    /// Answers accepted since then.
    pub accepted: u64,
    /// Answers accepted in sessions before.
    accepted_before: u64,
    /// What it was assigned last.
    pub assignment: VolunteerAssignment,
    /// What it has earned.
    pub trust: Trust,
    /// How much of its time it is given work for.
    pub effort: Effort,
    /// Its answers that are on their way to a check.
    pub unchecked: Unchecked,
    /// Tells the session why the volunteer is removed; none once it was told.
    pub removal: Option<oneshot::Sender<GoodbyeReason>>,
    /// What is taken back when it is found lying.
    pub moves: UncheckedMoves,
}

impl Member {
    /// One that has just joined, with what it has earned before.
    pub fn new(
        who: Newcomer,
        credit: Credit,
        effort: Effort,
        removal: oneshot::Sender<GoodbyeReason>,
    ) -> Self {
        Self {
            who,
            conduct: Conduct::new(Instant::now()),
            accepted: 0,
            accepted_before: credit.accepted,
            assignment: VolunteerAssignment::default(),
            trust: credit.trust,
            effort,
            unchecked: Unchecked::default(),
            removal: Some(removal),
            moves: UncheckedMoves::default(),
        }
    }

    /// It has joined under this number.
    pub fn tell_of_joining(&self, volunteer: VolunteerId) {
        let Newcomer { agent, network, identity, .. } = &self.who;
        tracing::info!(
            event = "joined",
            volunteer = volunteer.0,
            address = %network,
            identity = identity.map(tracing::field::display),
            agent,
            checks_passed = self.trust.passed,
            "a volunteer has joined"
        );
    }

    /// What it has earned by now.
    pub fn credit(&self) -> Credit {
        Credit { trust: self.trust, accepted: self.accepted_before + self.accepted }
    }

    /// A check found everything up to a task right.
    pub fn passed(&mut self, last: TaskId) {
        self.unchecked.checked();
        self.trust.passed = self.trust.passed.saturating_add(1);
        self.moves.checked(last);
    }
}
