//! Scenarios: what is simulated, as a TOML file.
//!
//! Every mistake in one is reported, each with where it is, what was expected and what was found.

mod fleet;
mod method;
mod read;

pub use fleet::{Dropout, Fleet, LATE_TASKS, Network, Stragglers};
pub use method::{
    Asynchronous, Control, Family, FarSignMethod, Kind, Method, Order, Rule, Synchronous, Wait,
};
pub use read::ScenarioError;

use serde::{Deserialize, Serialize};

use crate::attack::Attack;
use crate::expectation::Expectation;

/// Everything that decides the results, together with the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What is measured, and how often.
    pub run: Run,
    /// What is trained.
    pub model: Model,
    /// Whose data is whose.
    pub data: Data,
    /// Who works.
    pub fleet: Fleet,
    /// What happens to messages.
    pub network: Network,
    /// How learning rates are chosen.
    pub tuning: Tuning,
    /// What is compared.
    pub methods: Vec<Method>,
    /// What liars do.
    pub attacks: Vec<Attack>,
    /// What the results are expected to be.
    pub expectations: Vec<Expectation>,
}

/// What is measured, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Messages that the server receives in a run, each worth a gradient (in zeroth order: its losses), at least 1.
    pub messages: u64,
    /// Messages from one point of the curve to the next, at least 1.
    pub evaluate_every: u64,
    /// Held-out images that points of the curve are measured on; the end of a run is measured on all of them.
    #[serde(default = "curve_images")]
    pub curve_images: usize,
    /// Seeds; each is a run of its own.
    pub seeds: Vec<u64>,
    /// Shares of the updates that liars send, 0 to below 1. Without liars there is one run for all attacks.
    pub shares: Vec<f64>,
    /// A method stands a share while its accuracy under the worst attack is within so much of its clean one, 0 to 1.
    pub breaking_distance: f64,
}

fn curve_images() -> usize {
    1000
}

/// What is trained.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// Widths of hidden layers; none: softmax regression.
    pub hidden: Vec<usize>,
}

/// Whose data is whose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "split", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Data {
    /// All train on all of it, in minibatches that the server draws.
    #[default]
    Shared,
    /// Each has a part of its own, drawn at random.
    Iid,
    /// Each has a part of its own, with its own mixture of classes (Hsu et al. 2019, arXiv 1909.06335).
    Dirichlet {
        /// Concentration, above 0: the smaller, the more the mixtures differ.
        alpha: f64,
    },
}

/// How learning rates are chosen: for each method the factor on its rate with the best mean accuracy over these cases, on
/// data that is neither trained on nor part of the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Factors on the rate that a method names.
    pub factors: Vec<f64>,
    /// Messages of a tuning run.
    pub messages: u64,
    /// Seeds of the tuning runs; each case is run with each.
    pub seeds: Vec<u64>,
    /// What is tried.
    pub cases: Vec<Case>,
}

/// One condition of the tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Name of one of the scenario's attacks.
    pub attack: String,
    /// Liars' share of the updates.
    pub share: f64,
}
