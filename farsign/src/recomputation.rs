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
