//! The methods to compare.

use farsign::direction::{DirectionError, DirectionFamily, DirectionSpec};
use serde::{Deserialize, Serialize};

use crate::scenario::rules::{AggregatorConfig, AsyncRuleConfig};

/// A method with its settings.
///
/// The initial step is the learning rate times the factor that tuning chooses; it decays along a half cosine to 0 at the
/// end of the run, for every method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// Name in tables and files: lower-case letters, digits and hyphens.
    pub name: String,
    /// Learning rate before tuning, above 0.
    pub learning_rate: f64,
    /// Images in a minibatch, at least 1.
    pub batch: u32,
    /// Kind, with its own settings.
    pub kind: MethodKind,
}

impl Method {
    /// Returns whether the method is centralized training, which has no workers to attack.
    pub fn is_centralized(&self) -> bool {
        matches!(self.kind, MethodKind::Centralized(_))
    }
}

/// The kinds of methods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum MethodKind {
    /// FAR-SIGN.
    FarSign(FarSignMethod),
    /// A server that applies each gradient on arrival.
    Asynchronous(Asynchronous),
    /// A server that waits for a round of gradients.
    Synchronous(Synchronous),
    /// One machine with the same number of gradients.
    Centralized(Centralized),
}

/// FAR-SIGN, as in the product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FarSignMethod {
    /// Rule of the server.
    pub rule: FarSignRule,
    /// Order of the estimates.
    #[serde(default)]
    pub order: OrderConfig,
    /// Rate of the momentum, in `(0, 1]`.
    #[serde(default = "default_beta")]
    pub beta: f32,
    /// Family of directions.
    #[serde(default)]
    pub directions: DirectionsConfig,
    /// Directions of a task; one for each parameter if `None`.
    #[serde(default)]
    pub direction_count: Option<usize>,
    /// Zeroth order: consecutive tasks of a worker that share directions, at least 1.
    #[serde(default = "default_direction_reuse")]
    pub direction_reuse: u32,
    /// Accepted weight at which the run ends, as a fraction of the maximum number of updates, in `(0, 1]`.
    ///
    /// The total weight is slightly below the number of updates, and lower still where newcomers have little weight.
    #[serde(default = "default_horizon")]
    pub horizon: f64,
    /// Parameters that workers compute on.
    #[serde(default)]
    pub parameters: TaskParameters,
    /// Whether tasks are sized to their workers, as in the product. If not, all have as many images as the minibatch.
    #[serde(default)]
    pub sized_tasks: bool,
}

impl FarSignMethod {
    /// Returns the directions of a task, for a model with this number of parameters.
    ///
    /// # Errors
    /// Returns an error if the family has no such directions.
    pub fn direction_spec(&self, parameters: usize) -> Result<DirectionSpec, DirectionError> {
        let count = self.direction_count.unwrap_or(parameters);
        DirectionSpec::new(self.directions.into(), count, parameters)
    }
}

/// Rules of FAR-SIGN's server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FarSignRule {
    /// Each update is applied directly.
    Plain,
    /// Updates move a running vote.
    Vote {
        /// Rate of the vote, in `(0, 1]`.
        gamma: f32,
        /// Updates that share a minibatch, at least 1.
        window: u64,
    },
    /// As plain, with verification of updates.
    Verified {
        /// Fraction of the updates of an established volunteer that are verified, in `(0, 1]`.
        verify_probability: f64,
    },
    /// As plain, with weights that fall with disagreement from a gradient that the server computes on its own data. Needs
    /// reference data.
    Audited {
        /// Updates from one gradient of the server to the next, at least 1.
        every: u64,
        /// Images in its minibatch, at least 1.
        batch: u32,
    },
    /// As plain, with momentum at the server: workers send the numbers `g_k` (the form that the paper's abstract
    /// suggests). In first order, all tasks have the same directions.
    ServerMomentum,
}

/// Order of the estimates that workers compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OrderConfig {
    /// Gradients.
    #[default]
    First,
    /// Losses.
    Zeroth {
        /// Finite-difference radius, above 0.
        delta: f32,
    },
}

/// The parameters that workers compute on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskParameters {
    /// The published version, rounded to the grid: as in the product.
    #[default]
    Published,
    /// The exact parameters that the version was rounded from, to measure what rounding costs.
    Exact,
}

/// Families of directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum DirectionsConfig {
    /// Coordinate axes.
    #[default]
    Coordinate,
    /// Randomized Hadamard transform.
    Hadamard {
        /// Coordinates in a block, a power of two.
        block: u32,
    },
    /// Dense random signs.
    Rademacher,
    /// Random signs on a few coordinates.
    Sparse {
        /// Coordinates in a direction.
        nonzeros: u32,
    },
}

impl From<DirectionsConfig> for DirectionFamily {
    fn from(family: DirectionsConfig) -> Self {
        match family {
            DirectionsConfig::Coordinate => Self::Coordinate,
            DirectionsConfig::Hadamard { block } => Self::Hadamard { block },
            DirectionsConfig::Rademacher => Self::Rademacher,
            DirectionsConfig::Sparse { nonzeros } => Self::Sparse { nonzeros },
        }
    }
}

/// A server that applies each gradient on arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asynchronous {
    /// Rule of the server.
    pub rule: AsyncRuleConfig,
    /// Rate of the workers' momentum, in `(0, 1]`; with 1 they send each gradient unchanged.
    #[serde(default = "one")]
    pub beta: f32,
}

/// A server that waits for a round of gradients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synchronous {
    /// Rule that aggregates a round.
    pub aggregator: AggregatorConfig,
    /// Workers that a round waits for.
    pub wait: Wait,
    /// Rate of the workers' momentum (1 minus the momentum of SGD), in `(0, 1]`.
    #[serde(default = "default_synchronous_beta")]
    pub beta: f32,
}

/// Workers that a round waits for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Wait {
    /// All workers.
    All,
    /// The first workers that make up this fraction, above 0 and at most 1. A server cannot distinguish attackers from
    /// slow workers, so the fraction does not depend on the attack.
    Fastest(f64),
}

/// Centralized training on one machine.
///
/// Sign momentum, `m <- m + beta (g - m)`, `x <- x - alpha sign(m)` (Bernstein et al. 2018, arXiv 1802.04434, Signum),
/// with as many gradients as the other methods have updates, each at the newest parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Centralized {
    /// Rate of the momentum, in `(0, 1]`.
    #[serde(default = "default_synchronous_beta")]
    pub beta: f32,
    /// Minibatches that are joined to one gradient, at least 1; the number of steps shrinks by this factor.
    #[serde(default = "default_join")]
    pub join: u64,
}

fn default_beta() -> f32 {
    0.3
}

fn default_synchronous_beta() -> f32 {
    0.1
}

fn one() -> f32 {
    1.0
}

fn default_direction_reuse() -> u32 {
    1
}

fn default_horizon() -> f64 {
    0.9
}

fn default_join() -> u64 {
    1
}
