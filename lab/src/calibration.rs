//! How right the host's safety readout is: its estimate, from the answers alone, beside the truth, which only a simulation
//! knows.
//!
//! ```text
//!   scenario ---> runs, the server watched ---> checkpoints ---> table, plot
//!                   estimate: farsign::safety, as a host sees it
//!                   truth:    honest signs beside the gradient over all training data at the server's parameters
//! ```
//!
//! The truth has three numbers: the mean sign error over coordinates, which is what is estimated; the same averaged as
//! pairs of answers alone would tell it, as `(1 - 2 p)^2`; and the mean weighted by the size of each derivative, which is
//! what progress is made of. What is left between the estimate and the first is due to mistakes that workers share, and to
//! liars.

mod document;
#[cfg(test)]
mod tests;
mod truth;
mod watch;

pub use document::document;

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use serde::Serialize;

use crate::attack::Attack;
use crate::experiment::Experiment;
use crate::materials::Materials;
use crate::plan;
use crate::record::Measure;
use crate::scenario::{Kind, Method, Scenario};
use truth::Errors;
use watch::Watch;

/// The scenario that the readout is calibrated on.
pub const SCENARIO: &str = include_str!("calibration/scenario.toml");

/// What was found at one checkpoint of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checkpoint {
    /// The method.
    pub method: String,
    /// What liars did; none: there were none.
    pub attack: Option<&'static str>,
    /// Share of the updates that they were to send.
    pub share: f64,
    /// Seed of the run.
    pub seed: u64,
    /// Messages accepted.
    pub messages: u64,
    /// The host's estimate of the sign error `p`; none while it has none.
    pub estimate: Option<f64>,
    /// The share that may lie by that estimate.
    pub tolerated: Option<f64>,
    /// True sign errors of honest answers of late.
    pub errors: Errors,
}

/// Runs a scenario and compares, at every point that its curves have, estimate and truth. Methods that are not FAR-SIGN
/// have no readout and are left out, as are rates other than those in the scenario.
pub fn measure(scenario: &Scenario, materials: &Materials) -> Vec<Checkpoint> {
    let methods = scenario.methods.iter().filter(|method| matches!(method.kind, Kind::FarSign(_)));
    let runs: Vec<_> =
        methods.flat_map(|method| plan::cells(scenario, method).map(move |cell| (method, cell))).collect();
    let run = |(method, plan::Cell { attack, seed })| checkpoints(scenario, materials, method, attack, seed);
    let found: Vec<Vec<Checkpoint>> = runs.into_par_iter().with_max_len(1).map(run).collect();
    found.into_iter().flatten().collect()
}

fn checkpoints(
    scenario: &Scenario,
    materials: &Materials,
    method: &Method,
    attack: Option<(Attack, f64)>,
    seed: u64,
) -> Vec<Checkpoint> {
    let (messages, measure) = (scenario.run.messages, Measure::Validation);
    let experiment = Experiment { method, factor: 1.0, attack, seed, messages, measure, fault: None };
    let every = scenario.run.evaluate_every;
    let watch =
        experiment.run_watched(scenario, materials, |host, liars| Watch::new(host, liars, materials, every));
    let named = |(messages, safety, errors): (u64, Option<farsign::safety::Safety>, Errors)| Checkpoint {
        method: method.name.clone(),
        attack: attack.map(|(attack, _)| attack.name()),
        share: attack.map_or(0.0, |(_, share)| share),
        seed,
        messages,
        estimate: safety.map(|safety| safety.sign_error),
        tolerated: safety.map(|safety| safety.tolerated_share),
        errors,
    };
    watch.into_found().into_iter().map(named).collect()
}
