//! Accuracy of the server's tolerance estimate: the estimate, from updates alone, and the ground truth, which only a
//! simulation has.
//!
//! ```text
//!   scenario ---> runs with an instrumented server ---> checkpoints ---> table, plot
//!                   estimate:     farsign::tolerance, as in the product
//!                   ground truth: honest signs and the gradient over all training data at the server's parameters
//! ```
//!
//! The ground truth has three numbers: the mean sign error over coordinates, which is estimated; the same averaged as
//! `(1 - 2 p)^2`, which pairs of updates alone would give; and the mean weighted by the size of each derivative, which
//! determines progress. The remaining difference between the estimate and the first number is due to errors that workers
//! share, and to attackers.

mod ground_truth;
mod instrumented_server;
mod report;
#[cfg(test)]
mod tests;

pub use report::document;

use farsign_attacks::Attack;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use serde::Serialize;

use crate::data::ExperimentData;
use crate::engine::RunSpec;
use crate::metrics::EvalSplit;
use crate::scenario::{Method, MethodKind, Scenario};
use crate::studies::tolerance::ground_truth::SignErrors;
use crate::studies::tolerance::instrumented_server::{Checkpoint, InstrumentedServer};
use crate::suite::plan::{self, Condition};

/// The scenario of the study.
pub const SCENARIO: &str = include_str!("scenario.toml");

/// Estimate and ground truth at one checkpoint of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToleranceCheckpoint {
    /// Name of the method.
    pub method: String,
    /// Name of the attack; `None` without an attack.
    pub attack: Option<&'static str>,
    /// Byzantine fraction.
    pub byzantine_fraction: f64,
    /// Seed of the run.
    pub seed: u64,
    /// Accepted updates.
    pub updates: u64,
    /// The server's estimate of the sign error `p`; `None` before its first estimate.
    pub estimate: Option<f64>,
    /// The tolerated Byzantine fraction by that estimate.
    pub tolerated: Option<f64>,
    /// True sign errors of recent honest updates.
    pub errors: SignErrors,
}

/// Runs a scenario, and compares estimate and ground truth at every point of its curves.
///
/// Only FAR-SIGN methods have an estimate; others are skipped. Learning rates are those of the scenario, without tuning.
pub fn measure(scenario: &Scenario, data: &ExperimentData) -> Vec<ToleranceCheckpoint> {
    let methods = scenario
        .methods
        .iter()
        .filter(|method| matches!(method.kind, MethodKind::FarSign(_)));
    let runs: Vec<(&Method, Condition)> = methods
        .flat_map(|method| {
            plan::conditions(scenario, method).map(move |condition| (method, condition))
        })
        .collect();
    let run = |(method, condition)| checkpoints(scenario, data, method, condition);
    let found: Vec<Vec<ToleranceCheckpoint>> =
        runs.into_par_iter().with_max_len(1).map(run).collect();
    found.into_iter().flatten().collect()
}

fn checkpoints(
    scenario: &Scenario,
    data: &ExperimentData,
    method: &Method,
    Condition { attack, seed }: Condition,
) -> Vec<ToleranceCheckpoint> {
    let spec = RunSpec {
        method,
        factor: 1.0,
        attack,
        seed,
        updates: scenario.run.updates,
        eval_split: EvalSplit::Validation,
        fault: None,
    };
    let interval = scenario.run.evaluate_every;
    let server = spec.run_instrumented(scenario, data, |server, byzantine| {
        InstrumentedServer::new(server, byzantine, data, interval)
    });
    let labelled = |Checkpoint {
                        updates,
                        tolerance,
                        errors,
                    }: Checkpoint| ToleranceCheckpoint {
        method: method.name.clone(),
        attack: attack.map(|(attack, _): (Attack, f64)| attack.name()),
        byzantine_fraction: attack.map_or(0.0, |(_, fraction)| fraction),
        seed,
        updates,
        estimate: tolerance.map(|tolerance| tolerance.sign_error),
        tolerated: tolerance.map(|tolerance| tolerance.tolerated_fraction),
        errors,
    };
    server
        .into_checkpoints()
        .into_iter()
        .map(labelled)
        .collect()
}
