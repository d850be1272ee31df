//! What is taken back of a volunteer that was found lying.
//!
//! ```text
//!   undo      x <- x + share_j alpha_n w_i A's     for its unchecked moves, the newest first
//!   share_0 = 1,  share_(j+1) = .9 share_j
//! ```
//!
//! A move that a check found right stays. Taking back all of the others whole would hurt late in the training, when the
//! model has already made up for the older ones.

use std::collections::VecDeque;

use crate::step::Step;
use crate::task::TaskId;

/// Moves of a volunteer that can be taken back.
pub const MOST_MOVES: usize = 16;

/// How much less of a move is taken back for each answer that came after it.
pub const DECAY: f32 = 0.1;

/// A volunteer's latest moves that no check has found right, the newest first.
#[derive(Clone, Debug, Default)]
pub struct UncheckedMoves(VecDeque<(TaskId, Step)>);

impl UncheckedMoves {
    /// The answer to a task moved the model.
    pub fn push(&mut self, task: TaskId, step: &Step) {
        self.0.truncate(MOST_MOVES - 1);
        self.0.push_front((task, step.clone()));
    }

    /// A check found everything up to a task right.
    pub fn checked(&mut self, last: TaskId) {
        self.0.retain(|(task, _)| *task > last);
    }

    /// Steps that take these moves back, the newest whole, older ones less.
    pub fn undo(&self) -> impl Iterator<Item = Step> + '_ {
        let mut share = 1.0;
        self.0.iter().map(move |(_, step)| {
            let undo = Step { scale: -share * step.scale, ..step.clone() };
            share *= 1.0 - DECAY;
            undo
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(count: u64) -> UncheckedMoves {
        let mut moves = UncheckedMoves::default();
        (1..=count).for_each(|n| moves.push(TaskId(n), &Step { scale: n as f32, ..Step::default() }));
        moves
    }

    fn undone(moves: &UncheckedMoves) -> Vec<f32> {
        moves.undo().map(|step| step.scale).collect()
    }

    #[test]
    fn moves_are_taken_back_from_the_newest_on_and_less_and_less() {
        let undone = undone(&moves(20));
        assert_eq!(undone.len(), MOST_MOVES);
        assert_eq!(undone[..2], [-20.0, -(1.0 - DECAY) * 19.0]);
    }

    #[test]
    fn what_a_check_found_right_is_not_taken_back() {
        let mut moves = moves(5);
        moves.checked(TaskId(4));
        assert_eq!(undone(&moves), [-5.0]);
    }
}
