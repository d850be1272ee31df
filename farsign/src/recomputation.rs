//! Checking answers by computing them again.
//!
//! The server hands out everything an answer depends on, and every target computes the same bits, so an honest answer
//! is a pure function of the tasks since the tracker was last reset. Whoever computes them again has the same answer to
//! the last bit; a single bit that differs is proof that this is not what the tasks asked for. It says nothing about
//! the reason: a broken memory looks like a lie.
//!
//! ```text
//!   reset                               the next reset
//!     v                                        v
//!     task 1   task 2   task 3   ...   task j  |     to check answer j is to compute answers 1 to j,
//!     answer   answer   answer         answer  |     so all of them are checked
//! ```
//!
//! Which answer is checked, if any, is drawn in secret at the reset ([`pick`]); up to it, tasks and answers are kept
//! with the parameters they belong to ([`Chain`]); then they are computed again ([`Recomputation`]).

use std::sync::Arc;

use crate::answer::Answerer;
use crate::dataset::Dataset;
use crate::sign::SignBits;
use crate::task::{RunSettings, Task};

/// A task and the answer that came.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The task.
    pub task: Task,
    /// Parameters of the snapshot it names, `[d]`, as the volunteer was sent them.
    pub x: Arc<[f32]>,
    /// The answer.
    pub signs: SignBits,
}

/// Answers that a chain has at most; above the longest way from one reset to the next.
const MOST_IN_CHAIN: u32 = 64;

/// Position, counted from the reset, of the answer that is checked; none when none will be. Each is picked with the
/// probability `share`, in `(0, 1]`, by unpredictable bits.
pub fn pick(share: f64, bits: u64) -> Option<u32> {
    let unit = (bits >> 11) as f64 / (1u64 << 53) as f64;
    let position = libm::log(1.0 - unit) / libm::log(1.0 - share); // geometric; 0 when the share is 1
    (position < f64::from(MOST_IN_CHAIN)).then_some(position as u32)
}

/// A volunteer's answers since its last reset, as long as one of those to come will be checked.
#[derive(Debug, Default)]
pub struct Chain {
    answered: Vec<Answered>,
    /// Answers to come before the one that is checked; none when none will be.
    until_check: Option<u32>,
    open: Option<(Task, Arc<[f32]>)>,
}

impl Chain {
    /// After a reset, when the answer at this position will be checked.
    pub fn until(position: Option<u32>) -> Self {
        Self { until_check: position, ..Self::default() }
    }

    /// Whether an answer to come will be checked.
    pub fn is_kept(&self) -> bool {
        self.until_check.is_some()
    }

    /// A task was issued, against the parameters `x`, `[d]`. One that was open before has no answer.
    pub fn issued(&mut self, task: &Task, x: impl FnOnce() -> Arc<[f32]>) {
        self.open = self.is_kept().then(|| (*task, x()));
    }

    /// The open task was answered. Gives all since the reset when it is this answer that is to be checked.
    pub fn answered(&mut self, signs: &SignBits) -> Option<Vec<Answered>> {
        let (left, (task, x)) = (self.until_check?, self.open.take()?);
        self.answered.push(Answered { task, x, signs: signs.clone() });
        self.until_check = left.checked_sub(1);
        (left == 0).then(|| std::mem::take(&mut self.answered))
    }
}

/// Computes answers again.
#[derive(Debug)]
pub struct Recomputation {
    answerer: Answerer,
    data: Arc<Dataset>,
}

impl Recomputation {
    /// Of a run's answers, from its training data.
    pub fn new(settings: RunSettings, data: Arc<Dataset>) -> Self {
        Self { answerer: Answerer::new(settings), data }
    }

    /// Position of the first answer that differs from the one its task asks for; none when all are right. The first
    /// task of `chain` must reset the tracker, and each of the others must follow the one before it.
    pub fn first_wrong(&mut self, chain: &[Answered]) -> Option<usize> {
        debug_assert!(
            chain.first().is_none_or(|first| first.task.reset_tracker),
            "a chain begins with a reset"
        );
        chain.iter().position(|answered| {
            self.answerer.answer(&answered.task, &answered.x, &self.data) != Some(&answered.signs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;
    use crate::task::TaskId;

    #[test]
    fn every_answer_is_picked_with_the_same_probability() {
        let mut stream = Stream::new(5);
        let picked: Vec<_> = (0..100_000).map(|_| pick(0.1, stream.bits())).collect();
        // The share of those still unpicked at a position that are picked there is .1 everywhere.
        for position in 0..12 {
            let later = picked.iter().filter(|p| p.is_none_or(|p| p >= position)).count() as f64;
            let here = picked.iter().filter(|p| **p == Some(position)).count() as f64;
            assert!((here / later - 0.1).abs() < 0.01, "seed 5, position {position}: {here} of {later}");
        }
        assert_eq!(pick(1.0, u64::MAX), Some(0));
        assert_eq!(pick(1.0, 0), Some(0));
    }

    #[test]
    fn a_chain_gives_everything_since_the_reset_once() {
        let task = |n| Task {
            id: TaskId(n),
            snapshot_version: n,
            minibatch_seed: 0,
            direction_seed: 0,
            coin_seed: 0,
            reset_tracker: n == 1,
        };
        let (mut chain, x) = (Chain::until(Some(2)), || Arc::from([0.5f32]));
        for n in 1..=2 {
            chain.issued(&task(n), x);
            assert!(chain.answered(&SignBits::default()).is_none());
        }
        chain.issued(&task(3), x);
        let answered = chain.answered(&SignBits::default()).unwrap();
        assert_eq!(answered.iter().map(|a| a.task.id.0).collect::<Vec<_>>(), [1, 2, 3]);
        chain.issued(&task(4), x);
        assert!(!chain.is_kept() && chain.answered(&SignBits::default()).is_none());
    }
}
