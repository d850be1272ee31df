//! Simulated servers that process each update on arrival.

mod audit;
mod differences;
mod far_sign;
mod fault;
mod gradient;
mod server_momentum;
mod snapshot;

pub use far_sign::{FarSignRun, FarSignServer};
pub use fault::InjectedFault;
pub use gradient::{GradientServer, gradient_settings};

use std::borrow::Cow;
use std::sync::Arc;

use farsign::sign::SignBits;
use farsign::task::{RunSettings, Task};
use farsign::version::VersionHash;

use crate::metrics::VerificationStats;

/// An update as it arrives at a server.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedUpdate<'a> {
    /// The task of the update.
    pub task: &'a Task,
    /// The parameters of that task, `[d]`.
    pub x_sent: &'a [f32],
    /// Updates of the server since these parameters.
    pub staleness: u64,
    /// The signs, for servers that receive signs.
    pub signs: &'a SignBits,
    /// The numbers behind the signs, for servers that receive numbers: `[d]`, or `[K]` in zeroth order.
    pub vector: &'a [f32],
}

/// A server's decision on the sender of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// The sender stays.
    Accepted,
    /// The sender failed verification and is ejected.
    Ejected,
}

/// The version of tasks of a method that shares its parameters within the simulator and does not name them.
pub const UNNAMED_VERSION: VersionHash = VersionHash([0; 32]);

/// A simulated server. Workers are numbered `0..n`; a worker keeps its number when it changes its identity.
pub trait SimServer {
    /// Returns the settings that workers receive.
    fn settings(&self) -> &RunSettings;

    /// Adds a worker; a `known` worker rejoins under its previous identity.
    fn join(&mut self, worker: usize, known: bool);

    /// Removes a worker, which may rejoin.
    fn leave(&mut self, worker: usize);

    /// Returns the next task of a worker, of `images`, and its parameters, `[d]`.
    fn next_task(&mut self, worker: usize, images: u32) -> (Task, Arc<[f32]>);

    /// Processes an update of a worker.
    fn receive(&mut self, worker: usize, update: ReceivedUpdate<'_>) -> UpdateOutcome;

    /// Returns the newest parameters, `[d]`.
    fn parameters(&self) -> Cow<'_, [f32]>;

    /// Returns the number of updates so far: the clock of staleness.
    fn updates(&self) -> u64;

    /// Returns the number of updates in the current snapshot.
    fn snapshot_updates(&self) -> u64;

    /// Returns whether further updates would have no effect.
    fn is_finished(&self) -> bool;

    /// Returns the weight of attackers' updates and of all updates so far; `None` if all weights are equal.
    fn weights(&self) -> Option<(f64, f64)>;

    /// Returns the counts of the server's verification.
    fn verification(&self) -> VerificationStats {
        VerificationStats::default()
    }

    /// Returns the mean bits a parameter of the differences between two versions that a worker received. `None` if they
    /// were not measured.
    fn difference_bits(&self) -> Option<f64> {
        None
    }
}
