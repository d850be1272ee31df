//! Checking answers by computing them again.
//!
//! The server hands out everything an answer depends on, and every target computes the same bits, so an honest answer
//! is a pure function of the tasks since the tracker was last reset. Whoever computes them again has the same answer to
//! the last bit; a single bit that differs is proof that this is not what the tasks asked for. It says nothing about
//! the reason: a broken memory looks like a lie.
//!
//! ```text
//!   reset                                                  the next reset
//!     v                                                       v
//!     task 1   task 2   task 3   ...   task j   ...   task k  |     checks of the answers j and k:
//!     answer   answer   answer         answer         answer  |     1 to j are computed, then j + 1 to k
//! ```
//!
//! Every answer is picked for a check with the same probability, in secret: how many come before the next one is drawn at
//! the reset and again after each check ([`pick`]), so that no answer is safe, whatever was checked before it. To check an
//! answer is to check all since the reset. Tasks and answers are kept with the parameters they belong to ([`Chain`]), and
//! computed again ([`Recomputation`]) from where the last check ended.

use std::sync::{Arc, Mutex};

use crate::answer::Answerer;
use crate::assignment::ResetInterval;
use crate::dataset::Dataset;
use crate::sign::SignBits;
use crate::task::{RunSettings, Task};
use crate::tracker::Tracker;

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

/// Answers to come before the next that is checked; none when no check is reached before the next reset. Each is picked
/// with the probability `share`, in `(0, 1]`, by unpredictable bits.
pub fn pick(share: f64, bits: u64) -> Option<u32> {
    let unit = (bits >> 11) as f64 / (1u64 << 53) as f64;
    let before = libm::log(1.0 - unit) / libm::log(1.0 - share); // geometric; 0 when the share is 1
    (before < f64::from(ResetInterval::CHECKED.most)).then_some(before as u32)
}

/// A volunteer's answers since its last check or reset, as long as one of those to come will be checked.
#[derive(Debug, Default)]
pub struct Chain {
    answered: Vec<Answered>,
    /// As it was before the first of them, once all before are computed.
    tracker: Arc<Mutex<Tracker>>,
    /// Answers to come before the one that is checked; none when none will be.
    until_check: Option<u32>,
    open: Option<(Task, Arc<[f32]>)>,
}

/// Answers to be computed again.
#[derive(Debug)]
pub struct Segment {
    /// In the order of their tasks; at least one.
    pub answered: Vec<Answered>,
    /// The tracker that they begin with and leave behind. That of the first segment after a reset is of no account.
    pub tracker: Arc<Mutex<Tracker>>,
}

/// What an answer leads to.
#[derive(Debug)]
pub enum Picked {
    /// Nothing yet.
    No,
    /// A check.
    Check(Segment),
    /// It was picked while no check could be made. It is kept for the next one, if there is one before the reset.
    Kept,
    /// As above, and there is none.
    GivenUp,
}

impl Chain {
    /// After a reset, with so many answers before the one that will be checked.
    pub fn until(check: Option<u32>) -> Self {
        Self { until_check: check, ..Self::default() }
    }

    /// Whether an answer to come will be checked.
    pub fn is_kept(&self) -> bool {
        self.until_check.is_some()
    }

    /// A task was issued, against the parameters `x`, `[d]`. One that was open before has no answer.
    pub fn issued(&mut self, task: &Task, x: impl FnOnce() -> Arc<[f32]>) {
        self.open = self.is_kept().then(|| (*task, x()));
    }

    /// The open task was answered. If it is this answer that is checked, `next` draws when the next one will be, and all
    /// since the last check are handed out if a check `can` be made.
    pub fn answered(&mut self, signs: &SignBits, can: bool, next: impl FnOnce() -> Option<u32>) -> Picked {
        let (Some(left), Some((task, x))) = (self.until_check, self.open.take()) else { return Picked::No };
        self.answered.push(Answered { task, x, signs: signs.clone() });
        if left > 0 {
            self.until_check = Some(left - 1);
            return Picked::No;
        }
        self.until_check = next();
        match (can, self.is_kept()) {
            (true, true) => Picked::Check(Segment {
                answered: std::mem::take(&mut self.answered),
                tracker: Arc::clone(&self.tracker),
            }),
            (true, false) => {
                let Self { answered, tracker, .. } = std::mem::take(self); // nothing goes on from it
                Picked::Check(Segment { answered, tracker })
            }
            (false, true) => Picked::Kept,
            (false, false) => Picked::GivenUp,
        }
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

    /// Position of the first answer that differs from the one its task asks for; none when all are right. Each task must
    /// follow the one before it, and the first the last that left `tracker`, unless it resets that.
    pub fn first_wrong(&mut self, answered: &[Answered], tracker: &mut Tracker) -> Option<usize> {
        self.answerer.exchange_tracker(tracker);
        let wrong = answered.iter().position(|answered| {
            self.answerer.answer(&answered.task, &answered.x, &self.data) != Some(&answered.signs)
        });
        self.answerer.exchange_tracker(tracker);
        wrong
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

    fn task(n: u64) -> Task {
        Task {
            id: TaskId(n),
            snapshot_version: n,
            minibatch_seed: 0,
            direction_seed: 0,
            coin_seed: 0,
            reset_tracker: n == 1,
        }
    }

    /// The tasks whose answers are handed out at each step, of so many answers.
    fn handed_out(
        chain: &mut Chain,
        tasks: std::ops::RangeInclusive<u64>,
        can: impl Fn(u64) -> bool,
        mut next: impl FnMut() -> Option<u32>,
    ) -> Vec<Vec<u64>> {
        let answer = |n| {
            chain.issued(&task(n), || Arc::from([0.5f32]));
            match chain.answered(&SignBits::default(), can(n), &mut next) {
                Picked::Check(segment) => segment.answered.iter().map(|a| a.task.id.0).collect(),
                Picked::No | Picked::Kept | Picked::GivenUp => Vec::new(),
            }
        };
        tasks.map(answer).collect()
    }

    #[test]
    fn a_chain_gives_everything_since_the_last_check_once() {
        let mut chain = Chain::until(Some(2));
        let mut next = [Some(1), None].into_iter();
        let handed = handed_out(&mut chain, 1..=7, |_| true, || next.next().unwrap());
        assert_eq!(handed, [vec![], vec![], vec![1, 2, 3], vec![], vec![4, 5], vec![], vec![]]);
        assert!(!chain.is_kept());
    }

    #[test]
    fn what_cannot_be_checked_now_is_checked_with_the_next() {
        let mut chain = Chain::until(Some(0));
        let handed = handed_out(&mut chain, 1..=4, |n| n != 1 && n != 2, || Some(0));
        assert_eq!(handed, [vec![], vec![], vec![1, 2, 3], vec![4]]);
    }

    #[test]
    fn whoever_is_honest_right_after_resets_only_is_found_all_the_same() {
        let mut stream = Stream::new(8);
        for share in [0.02, 0.12, 0.5, 1.0] {
            // Of intervals of twelve, in how many is the answer at each position computed again?
            let mut covered = [0u32; 12];
            for _ in 0..20_000 {
                let mut chain = Chain::until(pick(share, stream.bits()));
                let handed = handed_out(&mut chain, 1..=12, |_| true, || pick(share, stream.bits()));
                handed.into_iter().flatten().for_each(|n| covered[n as usize - 1] += 1);
            }
            for (position, covered) in covered.into_iter().enumerate() {
                let to_come = 12 - position as i32; // answers at which it may be picked, its own among them
                let expected = 1.0 - libm::pow(1.0 - share, f64::from(to_come));
                let found = f64::from(covered) / 20_000.0;
                assert!(
                    (found - expected).abs() < 0.02,
                    "seed 8, {share}, {position}: {found}, not {expected}"
                );
            }
        }
    }
}
