//! What is compared.

use farsign::direction::DirectionFamily;
use serde::{Deserialize, Serialize};

/// A method with its settings. Its step size is its rate, times a factor that tuning chooses, and falls along a half
/// cosine to 0 at the end of the run, as that of every other method does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// Its name in tables and files; small letters, digits and hyphens.
    pub name: String,
    /// Step size that the tuning multiplies, above 0.
    pub rate: f64,
    /// Images in a minibatch, at least 1.
    pub batch: u32,
    /// What it is.
    pub kind: Kind,
}

impl Method {
    /// Whether it is one machine alone, which no liar reaches.
    pub fn is_control(&self) -> bool {
        matches!(self.kind, Kind::Control(_))
    }
}

/// Families of methods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kind {
    /// FAR-SIGN.
    FarSign(FarSignMethod),
    /// A server that applies each gradient when it comes.
    Asynchronous(Asynchronous),
    /// A server that waits for a round of gradients.
    Synchronous(Synchronous),
    /// One machine alone, with as many gradients.
    Control(Control),
}

/// FAR-SIGN, as the product runs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FarSignMethod {
    /// Rule of the server.
    pub rule: Rule,
    /// What workers compute.
    #[serde(default)]
    pub order: Order,
    /// Rate of the running average, in `(0, 1]`.
    #[serde(default = "beta")]
    pub beta: f32,
    /// Family of directions.
    #[serde(default)]
    pub directions: Family,
    /// Directions of a task; none: one for each parameter.
    #[serde(default)]
    pub direction_count: Option<usize>,
    /// Zeroth order: tasks of a worker that share directions, at least 1.
    #[serde(default = "hold")]
    pub direction_hold: u32,
    /// Accepted weight at which the run ends, as a part of the messages that it may take at most, in `(0, 1]`. Weights
    /// come to somewhat less than the messages, and to less still where newcomers weigh little.
    #[serde(default = "horizon")]
    pub horizon: f64,
}

/// Rules of the server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// Each message is a step of its own.
    Plain,
    /// Messages move a running vote.
    Vote {
        /// Rate of the vote, in `(0, 1]`.
        gamma: f32,
        /// Messages that share a minibatch, at least 1.
        window: u64,
    },
    /// As plain, with answers computed again.
    Verified {
        /// Share of the answers of a volunteer of long standing that are checked, in `(0, 1]`.
        check_share: f64,
    },
    /// As plain, with weights that fall for those who disagree with a gradient that the server computes from data of its
    /// own. Not free of reference data.
    Audited {
        /// Messages from one gradient of the server to the next, at least 1.
        every: u64,
        /// Images that it is computed on, at least 1.
        batch: u32,
    },
    /// As plain, with the running averages at the server: workers send the numbers `g_k` (the form that the paper's
    /// abstract suggests). In first order the directions are the same in all tasks.
    ServerTracked,
}

/// What workers compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// Gradients.
    #[default]
    First,
    /// Losses.
    Zeroth {
        /// Finite-difference radius, above 0.
        delta: f32,
    },
}

/// Families of directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Family {
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

impl From<Family> for DirectionFamily {
    fn from(family: Family) -> Self {
        match family {
            Family::Coordinate => Self::Coordinate,
            Family::Hadamard { block } => Self::Hadamard { block },
            Family::Rademacher => Self::Rademacher,
            Family::Sparse { nonzeros } => Self::Sparse { nonzeros },
        }
    }
}

/// A server that applies each gradient when it comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asynchronous {
    /// Which.
    pub rule: crate::peers::AsyncRuleName,
    /// Rate of the running average that workers keep of their gradients, in `(0, 1]`; 1: they send each as it is.
    #[serde(default = "one")]
    pub beta: f32,
}

/// A server that waits for a round of gradients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synchronous {
    /// How it joins the gradients of a round.
    pub aggregation: crate::peers::AggregationName,
    /// For whom it waits.
    pub wait: Wait,
    /// Rate of the running average that workers keep of their gradients (1 minus their momentum), in `(0, 1]`.
    #[serde(default = "momentum")]
    pub beta: f32,
}

/// For whom a round waits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Wait {
    /// For every worker.
    All,
    /// For the first that make up this share of the workers, above 0 and at most 1. It cannot know who is a liar and who
    /// is slow, so the share is the same whoever lies.
    Fastest(f64),
}

/// One machine alone: sign momentum, `m <- m + beta (g - m)`, `x <- x - alpha sign(m)` (Bernstein et al. 2018, arXiv
/// 1802.04434, Signum), on as many gradients as the others have messages, each at the newest parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Rate of the running average, in `(0, 1]`.
    #[serde(default = "momentum")]
    pub beta: f32,
    /// Minibatches that are joined to one gradient, at least 1; the number of steps is as many times smaller.
    #[serde(default = "single")]
    pub join: u64,
}

fn beta() -> f32 {
    0.3
}

fn momentum() -> f32 {
    0.1
}

fn one() -> f32 {
    1.0
}

fn hold() -> u32 {
    1
}

fn horizon() -> f64 {
    0.9
}

fn single() -> u64 {
    1
}
