//! Rate of convergence: the exponent of the gradient norm in the number of updates, compared with the paper's abstract.
//!
//! ```text
//!   problem ---> training ---> norms of grad f ---> running mean, min ---> slope on logarithmic axes
//!                 workers with different speeds      over the run           least squares, beyond the burn-in
//! ```
//!
//! Steps decay as a power law ([`Decay::PowerLaw`]) within the usual conditions on step sizes. The fast step `beta` is
//! constant, as in the product, or decays more slowly than the slow one, as in a proof with two timescales. Both orders
//! use the product's optimizer, momentum, directions and estimates; the problem and the simulation around it are the
//! lab's. The abstract gives the exponents -1/4 + e (first order) and -1/6 + e (zeroth order) without its norm and its
//! mean. Here it is the Euclidean norm of the true gradient at the server's parameters.

mod problem;
mod report;
mod slope;
#[cfg(test)]
mod tests;
mod training;

pub use report::document;

use farsign::direction::DirectionFamily;
use farsign::estimate::Order;
use farsign::schedule::{Decay, StepSize};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use serde::Serialize;

use crate::scenario::{Fleet, Stragglers};
use crate::stats::MeanStd;
use crate::studies::convergence::problem::Problem;

/// Updates from one norm to the next.
pub const NORM_INTERVAL: u64 = 10;

/// Parameters of the problem, `d`.
const PARAMETERS: usize = 100;

/// Points of a saved curve.
const CURVE_POINTS: usize = 200;

/// Options of a measurement.
#[derive(Clone, Debug)]
pub struct ConvergenceOptions {
    /// Points in a minibatch.
    pub batch: usize,
    /// Workers, without dropouts.
    pub fleet: Fleet,
    /// Seeds of problem and run.
    pub seeds: Vec<u64>,
    /// Fraction of the updates at the start that slopes exclude.
    pub burn_in: f64,
    /// An injected fault: every update has the opposite signs.
    pub signs_flipped: bool,
}

impl Default for ConvergenceOptions {
    fn default() -> Self {
        Self {
            batch: 4,
            fleet: Fleet {
                workers: 20,
                task_s: 1.0,
                spread: 0.5,
                jitter: 0.2,
                stragglers: vec![Stragglers {
                    fraction: 0.05,
                    slowdown: 100.0,
                }],
                dropout: None,
            },
            seeds: vec![1, 2, 3, 4, 5],
            burn_in: 0.05,
            signs_flipped: false,
        }
    }
}

/// A configuration whose rate is measured.
#[derive(Clone, Debug)]
pub struct ConvergenceCase {
    /// Name in tables.
    pub name: &'static str,
    /// Order of the estimates.
    pub order: Order,
    /// Family of directions.
    pub directions: DirectionFamily,
    /// Directions of a task, `K`.
    pub direction_count: usize,
    /// Zeroth order: consecutive tasks of a worker that share directions.
    pub direction_reuse: u32,
    /// `alpha`, a function of the accepted weight.
    pub slow: StepSize,
    /// `beta`, a function of a worker's own tasks.
    pub fast: StepSize,
    /// Updates of a run.
    pub updates: u64,
    /// Exponent in the paper's abstract, without its `e`.
    pub paper: f64,
}

/// Returns the default cases, with runs of `updates` updates.
pub fn cases(updates: u64) -> Vec<ConvergenceCase> {
    let falling = |initial, offset, exponent| StepSize {
        initial,
        decay: Decay::PowerLaw { offset, exponent },
    };
    let constant = |initial| StepSize {
        initial,
        decay: Decay::Constant,
    };
    let first = |name, slow, fast| ConvergenceCase {
        name,
        order: Order::First,
        directions: DirectionFamily::Coordinate,
        direction_count: PARAMETERS,
        direction_reuse: 1,
        slow,
        fast,
        updates,
        paper: -0.25,
    };
    let zeroth = |name, slow, fast| ConvergenceCase {
        order: Order::Zeroth { delta: 0.01 },
        directions: DirectionFamily::Sparse { nonzeros: 6 },
        direction_count: 16,
        direction_reuse: 4,
        paper: -1.0 / 6.0,
        ..first(name, slow, fast)
    };
    vec![
        first(
            "first, beta constant",
            falling(0.02, 200.0, 0.55),
            constant(0.3),
        ),
        first(
            "first, beta falling",
            falling(0.02, 200.0, 0.75),
            falling(1.0, 10.0, 0.5),
        ),
        zeroth(
            "zeroth, beta constant",
            falling(0.06, 200.0, 0.55),
            constant(0.3),
        ),
        zeroth(
            "zeroth, beta falling",
            falling(0.06, 200.0, 0.75),
            falling(1.0, 10.0, 0.5),
        ),
    ]
}

/// The measured rate of one case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConvergenceRate {
    /// Name of the case.
    pub name: String,
    /// Exponent in the paper's abstract, without its `e`.
    pub paper: f64,
    /// `alpha` and `beta` as formulas.
    pub steps: [String; 2],
    /// Updates of a run.
    pub updates: u64,
    /// Slope of the running mean of the norm.
    pub mean: MeanStd,
    /// Slope of the running minimum.
    pub min: MeanStd,
    /// Slope of the mean over the later half of the updates so far.
    pub recent: MeanStd,
    /// Final norm: the mean over the later half of the updates.
    pub end: MeanStd,
    /// Curves, one for each seed.
    pub curves: Vec<Vec<NormPoint>>,
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NormPoint {
    /// Updates.
    pub updates: u64,
    /// Running mean of the norm.
    pub mean: f64,
    /// Running minimum.
    pub min: f64,
}

/// One run of a case.
struct RunResult {
    /// Slopes of running mean, running minimum and recent mean.
    slopes: [f64; 3],
    end: f64,
    curve: Vec<NormPoint>,
}

/// Measures the cases.
pub fn measure(cases: &[ConvergenceCase], options: &ConvergenceOptions) -> Vec<ConvergenceRate> {
    let runs: Vec<(&ConvergenceCase, u64)> = cases
        .iter()
        .flat_map(|case| options.seeds.iter().map(move |&seed| (case, seed)))
        .collect();
    let results: Vec<RunResult> = runs
        .into_par_iter()
        .with_max_len(1)
        .map(|(case, seed)| run(case, options, seed))
        .collect();
    let rate = |(case, results): (&ConvergenceCase, &[RunResult])| {
        let slope = |which: usize| MeanStd::new(results.iter().map(|run| run.slopes[which]));
        ConvergenceRate {
            name: case.name.to_owned(),
            paper: case.paper,
            steps: [formula(case.slow, "W"), formula(case.fast, "j")],
            updates: case.updates,
            mean: slope(0),
            min: slope(1),
            recent: slope(2),
            end: MeanStd::new(results.iter().map(|run| run.end)),
            curves: results.iter().map(|run| run.curve.clone()).collect(),
        }
    };
    cases
        .iter()
        .zip(results.chunks(options.seeds.len()))
        .map(rate)
        .collect()
}

/// Returns a step size as a formula in its clock.
fn formula(step: StepSize, clock: &str) -> String {
    let initial = step.initial;
    match step.decay {
        Decay::PowerLaw { offset, exponent } => {
            format!("{initial} / (1 + {clock} / {offset})^{exponent}")
        }
        Decay::Constant | Decay::Cosine { .. } => format!("{initial}"),
    }
}

fn run(case: &ConvergenceCase, options: &ConvergenceOptions, seed: u64) -> RunResult {
    let problem = Problem::new(PARAMETERS, seed);
    let norms = training::norms(case, options, &problem, seed);
    let burn_in = (options.burn_in * norms.len() as f64) as usize;
    let mean = slope::running_mean(&norms);
    let min = slope::running_min(&norms);
    let recent = slope::recent_mean(&norms);
    let point = |index: usize| NormPoint {
        updates: index as u64 * NORM_INTERVAL + 1,
        mean: mean[index],
        min: min[index],
    };
    RunResult {
        slopes: [&mean, &min, &recent].map(|curve| slope::slope(curve, burn_in)),
        end: recent[recent.len() - 1],
        curve: slope::log_spaced(1, norms.len(), CURVE_POINTS)
            .into_iter()
            .map(point)
            .collect(),
    }
}
