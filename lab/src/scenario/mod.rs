//! Scenarios: descriptions of suites of runs, as TOML files.
//!
//! This module holds plain data and its validation. Reading reports every mistake in a file, each with its place, the
//! expected and the found value.

mod assertion;
mod fleet;
mod method;
mod parse;
mod rules;
mod validate;

pub use assertion::{Assertion, Bound};
pub(crate) use fleet::count_of_fraction;
pub use fleet::{Dropout, Fleet, NetworkModel, STALE_TASKS, Stragglers};
pub use method::{
    Asynchronous, Centralized, DirectionsConfig, FarSignMethod, FarSignRule, Method, MethodKind,
    OrderConfig, Synchronous, TaskParameters, Wait,
};
pub use parse::ScenarioError;
pub use rules::{AggregatorConfig, AsyncRuleConfig};

use farsign_attacks::Attack;
use serde::{Deserialize, Serialize};

/// A scenario. Together with the data it determines the results.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Measurements and their frequency.
    pub run: RunConfig,
    /// The model to train.
    pub model: ModelConfig,
    /// Partition of the data over workers.
    pub data: DataSplit,
    /// The workers.
    pub fleet: Fleet,
    /// The network between workers and server.
    pub network: NetworkModel,
    /// The search for learning rates.
    pub tuning: Tuning,
    /// The methods to compare.
    pub methods: Vec<Method>,
    /// The attacks.
    pub attacks: Vec<Attack>,
    /// Assertions on the results.
    pub assertions: Vec<Assertion>,
}

/// Measurements and their frequency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Updates that the server receives in a run, each worth a gradient (in zeroth order: its losses), at least 1.
    pub updates: u64,
    /// Updates from one point of the curve to the next, at least 1.
    pub evaluate_every: u64,
    /// Held-out images for the points of a curve; the end of a run is measured on all held-out images.
    #[serde(default = "default_curve_images")]
    pub curve_images: usize,
    /// Seeds, one run each.
    pub seeds: Vec<u64>,
    /// Fractions of the updates that attackers send, 0 to below 1. One run without an attack serves all attacks.
    pub byzantine_fractions: Vec<f64>,
    /// Largest loss of accuracy under the worst attack at which a method tolerates a fraction, 0 to 1.
    pub breaking_distance: f64,
    /// Whether to measure the coded differences between the versions that workers receive.
    #[serde(default)]
    pub measure_differences: bool,
}

fn default_curve_images() -> usize {
    1000
}

/// The model to train.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Widths of hidden layers; softmax regression if empty.
    pub hidden: Vec<usize>,
}

/// The partition of the data over workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "split", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DataSplit {
    /// All workers train on all data, in minibatches that the server draws.
    #[default]
    Shared,
    /// Each worker has its own random shard.
    Iid,
    /// Each worker has its own shard with its own mixture of classes (Hsu et al. 2019, arXiv 1909.06335).
    Dirichlet {
        /// Concentration, above 0; mixtures differ more for smaller values.
        alpha: f64,
    },
}

/// The search for learning rates.
///
/// Each method uses the factor on its learning rate with the best mean accuracy over the cases, measured on data used
/// neither for training nor for results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Factors on the learning rate of a method.
    pub factors: Vec<f64>,
    /// Updates of a tuning run.
    pub updates: u64,
    /// Seeds of the tuning runs; each case is run with each seed.
    pub seeds: Vec<u64>,
    /// The conditions to try.
    pub cases: Vec<TuningCase>,
}

/// One condition of the search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TuningCase {
    /// Name of one of the scenario's attacks.
    pub attack: String,
    /// Fraction of the updates that attackers send.
    pub byzantine_fraction: f64,
}

impl Scenario {
    /// Returns the attack with this name.
    pub fn attack(&self, name: &str) -> Option<Attack> {
        self.attacks
            .iter()
            .find(|attack| attack.name() == name)
            .copied()
    }
}
