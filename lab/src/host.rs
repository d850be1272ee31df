//! Servers that take each answer when it comes, as the simulation sees them.

mod audit;
mod far_sign;
mod gradients;
mod published;

pub use far_sign::{FarSignHost, FarSignRun, Fault, directions_of};
pub use gradients::{GradientHost, gradient_settings};

use std::sync::Arc;

use farsign::sign::SignBits;
use farsign::task::{RunSettings, Task};

/// An answer as it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The task that it answers.
    pub task: &'a Task,
    /// The parameters of that task, `[d]`.
    pub x_sent: &'a [f32],
    /// Updates of the server since these.
    pub staleness: u64,
    /// The signs, where that is what is sent.
    pub signs: &'a SignBits,
    /// The numbers behind them, where these are sent: `[d]`, or `[K]` in zeroth order.
    pub vector: &'a [f32],
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken in.
    Taken,
    /// It was taken in, and its sender was found lying and removed.
    Removed,
}

/// What checks of answers did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CheckTally {
    /// Chains of answers that were right.
    pub passed: u64,
    /// Chains with a wrong answer.
    pub failed: u64,
    /// Answers computed again.
    pub recomputed: u64,
}

/// A server in the simulation. Workers have places, `0..n`; who is at a place may change its name.
pub trait Host {
    /// What workers are told.
    fn settings(&self) -> &RunSettings;

    /// A worker joins; one that is `known` has been there before under the same name.
    fn join(&mut self, worker: usize, known: bool);

    /// A worker leaves, and may come back.
    fn leave(&mut self, worker: usize);

    /// The next task of a worker, and the parameters to work at, `[d]`.
    fn issue(&mut self, worker: usize) -> (Task, Arc<[f32]>);

    /// Takes in an answer of a worker.
    fn receive(&mut self, worker: usize, answer: Answer<'_>) -> Outcome;

    /// The newest parameters, `[d]`.
    fn x(&self) -> &[f32];

    /// Updates so far, to count staleness in.
    fn updates(&self) -> u64;

    /// Updates in the parameters that tasks are issued against now.
    fn published_updates(&self) -> u64;

    /// Whether further answers would change nothing.
    fn is_finished(&self) -> bool;

    /// Weight that liars' answers have had so far, and all; where weights are all the same, none.
    fn weights(&self) -> Option<(f64, f64)>;

    /// What checks did.
    fn checks(&self) -> CheckTally {
        CheckTally::default()
    }
}
