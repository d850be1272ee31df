//! What the coordinator knows of a volunteer.

use std::collections::VecDeque;
use std::time::Instant;

use farsign::assignment::VolunteerAssignment;
use farsign::step::Step;
use farsign::task::{GoodbyeReason, TaskId, VolunteerId};
use farsign::trust::Trust;
use farsign::wire::Abilities;
use tokio::sync::oneshot;

use super::checks::Chain;
use crate::admission::identity::Identity;
use crate::effort::Effort;
use crate::places::Network;
use crate::store::event::Credit;

/// Moves of a volunteer that can be taken back.
const MOST_MOVES: usize = 16;

/// How much less of a move is taken back for each answer that came after it. All of it would hurt late in the training,
/// when the model has already made up for older moves.
const DECAY: f32 = 0.1;

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
    /// When it joined.
    pub joined: Instant,
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
    pub chain: Chain,
    /// Tells the session why the volunteer is removed.
    pub removal: oneshot::Sender<GoodbyeReason>,
    /// Its latest moves that no check has found right, the newest first.
    moves: VecDeque<(TaskId, Step)>,
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
            joined: Instant::now(),
            accepted: 0,
            accepted_before: credit.accepted,
            assignment: VolunteerAssignment::default(),
            trust: credit.trust,
            effort,
            chain: Chain::default(),
            removal,
            moves: VecDeque::with_capacity(MOST_MOVES),
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

    /// Its answer to a task moved the model.
    pub fn moved(&mut self, task: TaskId, step: &Step) {
        self.moves.truncate(MOST_MOVES - 1);
        self.moves.push_front((task, step.clone()));
    }

    /// A check found everything up to a task right.
    pub fn passed(&mut self, last: TaskId) {
        self.chain.checked();
        self.trust.passed = self.trust.passed.saturating_add(1);
        self.moves.retain(|(task, _)| *task > last);
    }

    /// Steps that take its unchecked moves back, the newest nearly whole, older ones less.
    pub fn undo(&self) -> impl Iterator<Item = Step> + '_ {
        let mut share = 1.0;
        self.moves.iter().map(move |(_, step)| {
            let undo = Step { scale: -share * step.scale, ..step.clone() };
            share *= 1.0 - DECAY;
            undo
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(scale: f32) -> Step {
        Step { scale, ..Step::default() }
    }

    fn member() -> Member {
        let network = std::net::IpAddr::from([192, 0, 2, 1]).into();
        let who = Newcomer { abilities: Abilities::default(), agent: "test".into(), network, identity: None };
        Member::new(who, Credit::default(), Effort::FULL, oneshot::channel().0)
    }

    #[test]
    fn moves_are_taken_back_from_the_newest_on_and_less_and_less() {
        let mut member = member();
        (1..=20).for_each(|n| member.moved(TaskId(n), &step(n as f32)));
        let undone: Vec<f32> = member.undo().map(|step| step.scale).collect();
        assert_eq!(undone.len(), MOST_MOVES);
        assert_eq!(undone[..2], [-20.0, -(1.0 - DECAY) * 19.0]);
    }

    #[test]
    fn what_a_check_found_right_is_not_taken_back() {
        let mut member = member();
        (1..=5).for_each(|n| member.moved(TaskId(n), &step(n as f32)));
        member.passed(TaskId(4));
        assert_eq!(member.undo().map(|step| step.scale).collect::<Vec<_>>(), [-5.0]);
        assert_eq!(member.trust.passed, 1);
    }
}
