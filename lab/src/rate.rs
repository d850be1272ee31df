//! How fast the gradient vanishes: the exponent of its norm in the number of messages, beside the one that the paper's
//! abstract states.
//!
//! ```text
//!   problem ---> training ---> norms of grad f ---> running mean, min ---> slope on logarithmic axes
//!                 workers, each at its pace          over the run           least squares, beyond the burn-in
//! ```
//!
//! Steps fall as a power law ([`Decay::PowerLaw`]), inside the usual conditions on step sizes. The fast step `beta` is
//! constant, as in the product, or falls more slowly than the slow one, as in a proof with two timescales. Both orders go
//! through the product's own optimizer, trackers, directions and estimates; the problem and the world around it are the
//! lab's. The abstract gives the exponents -1/4 + e (first order) and -1/6 + e (zeroth order), and we do not know of which
//! norm and which mean. Here it is the Euclidean norm of the true gradient at the server's parameters.

mod document;
mod problem;
mod slope;
#[cfg(test)]
mod tests;
mod training;

pub use document::document;

use farsign::direction::DirectionFamily;
use farsign::estimate::Order;
use farsign::schedule::{Decay, StepSize};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use serde::Serialize;

use crate::scenario::{Fleet, Stragglers};
use crate::summary::Spread;
use problem::Problem;

/// Messages from one norm to the next.
pub const EVERY: u64 = 10;

/// Parameters of the problem, `d`.
const PARAMETERS: usize = 100;

/// Points of a curve that is kept.
const KEPT: usize = 200;

/// What is measured, and on what.
#[derive(Clone, Debug)]
pub struct RateOptions {
    /// Points in a minibatch.
    pub batch: usize,
    /// Workers; none of them leaves.
    pub fleet: Fleet,
    /// Seeds, of problem and run.
    pub seeds: Vec<u64>,
    /// Share of the messages that no slope is fitted to, at the start.
    pub burn_in: f64,
    /// A mistake to plant: every message says the opposite of what was found.
    pub signs_turned: bool,
}

impl Default for RateOptions {
    fn default() -> Self {
        Self {
            batch: 4,
            fleet: Fleet {
                workers: 20,
                task_s: 1.0,
                spread: 0.5,
                jitter: 0.2,
                stragglers: vec![Stragglers { share: 0.05, slowdown: 100.0 }],
                dropout: None,
            },
            seeds: vec![1, 2, 3, 4, 5],
            burn_in: 0.05,
            signs_turned: false,
        }
    }
}

/// A way of training whose rate is measured.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name in tables.
    pub name: &'static str,
    /// What workers compute.
    pub order: Order,
    /// Family of directions.
    pub directions: DirectionFamily,
    /// Directions of a task, `K`.
    pub direction_count: usize,
    /// Tasks of a worker that share directions, in zeroth order.
    pub direction_hold: u32,
    /// `alpha`, on the accepted weight.
    pub slow: StepSize,
    /// `beta`, on a worker's own tasks.
    pub fast: StepSize,
    /// Messages of a run.
    pub messages: u64,
    /// Exponent that the paper's abstract states, its `e` left out.
    pub paper: f64,
}

/// What is measured by default, of runs of so many messages.
pub fn cases(messages: u64) -> Vec<Case> {
    let falling =
        |initial, offset, exponent| StepSize { initial, decay: Decay::PowerLaw { offset, exponent } };
    let constant = |initial| StepSize { initial, decay: Decay::Constant };
    let first = |name, slow, fast| Case {
        name,
        order: Order::First,
        directions: DirectionFamily::Coordinate,
        direction_count: PARAMETERS,
        direction_hold: 1,
        slow,
        fast,
        messages,
        paper: -0.25,
    };
    let zeroth = |name, slow, fast| Case {
        order: Order::Zeroth { delta: 0.01 },
        directions: DirectionFamily::Sparse { nonzeros: 6 },
        direction_count: 16,
        direction_hold: 4,
        paper: -1.0 / 6.0,
        ..first(name, slow, fast)
    };
    vec![
        first("first, beta constant", falling(0.02, 200.0, 0.55), constant(0.3)),
        first("first, beta falling", falling(0.02, 200.0, 0.75), falling(1.0, 10.0, 0.5)),
        zeroth("zeroth, beta constant", falling(0.06, 200.0, 0.55), constant(0.3)),
        zeroth("zeroth, beta falling", falling(0.06, 200.0, 0.75), falling(1.0, 10.0, 0.5)),
    ]
}

/// What was found for one case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Its name.
    pub name: String,
    /// Exponent that the paper's abstract states, its `e` left out.
    pub paper: f64,
    /// Its `alpha` and its `beta`.
    pub steps: [String; 2],
    /// Messages of a run.
    pub messages: u64,
    /// Slope of the running mean of the norm.
    pub mean: Spread,
    /// Slope of the running minimum.
    pub min: Spread,
    /// Slope of the mean over the later half of the messages so far.
    pub recent: Spread,
    /// The norm by the end: mean over the later half of the messages.
    pub end: Spread,
    /// Curves, one for each seed.
    pub curves: Vec<Vec<RatePoint>>,
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RatePoint {
    /// Messages.
    pub messages: u64,
    /// Running mean of the norm.
    pub mean: f64,
    /// Running minimum.
    pub min: f64,
}

/// One run of a case: slopes of running mean, minimum and recent mean, the norm by the end, and the curve.
struct Run {
    slopes: [f64; 3],
    end: f64,
    curve: Vec<RatePoint>,
}

/// Measures the cases.
pub fn measure(cases: &[Case], options: &RateOptions) -> Vec<Rate> {
    let runs: Vec<(&Case, u64)> =
        cases.iter().flat_map(|case| options.seeds.iter().map(move |&seed| (case, seed))).collect();
    let runs: Vec<Run> =
        runs.into_par_iter().with_max_len(1).map(|(case, seed)| run(case, options, seed)).collect();
    let of_case = |(case, runs): (&Case, &[Run])| {
        let slope = |which: usize| Spread::of(runs.iter().map(|run| run.slopes[which]));
        Rate {
            name: case.name.to_owned(),
            paper: case.paper,
            steps: [shown(case.slow, "W"), shown(case.fast, "j")],
            messages: case.messages,
            mean: slope(0),
            min: slope(1),
            recent: slope(2),
            end: Spread::of(runs.iter().map(|run| run.end)),
            curves: runs.iter().map(|run| run.curve.clone()).collect(),
        }
    };
    cases.iter().zip(runs.chunks(options.seeds.len())).map(of_case).collect()
}

/// A step size as a formula in its clock.
fn shown(step: StepSize, clock: &str) -> String {
    let initial = step.initial;
    match step.decay {
        Decay::PowerLaw { offset, exponent } => format!("{initial} / (1 + {clock} / {offset})^{exponent}"),
        Decay::Constant | Decay::Cosine { .. } => format!("{initial}"),
    }
}

fn run(case: &Case, options: &RateOptions, seed: u64) -> Run {
    let problem = Problem::new(PARAMETERS, seed);
    let norms = training::norms(case, options, &problem, seed);
    let burn_in = (options.burn_in * norms.len() as f64) as usize;
    let (mean, min, recent) =
        (slope::running_mean(&norms), slope::running_min(&norms), slope::recent_mean(&norms));
    let point =
        |place: usize| RatePoint { messages: place as u64 * EVERY + 1, mean: mean[place], min: min[place] };
    Run {
        slopes: [&mean, &min, &recent].map(|curve| slope::slope(curve, burn_in)),
        end: recent[recent.len() - 1],
        curve: slope::places(1, norms.len(), KEPT).into_iter().map(point).collect(),
    }
}
