//! Names and parameters of the rules that FAR-SIGN is compared with.

use serde::{Deserialize, Serialize};

/// A rule that applies each gradient on arrival; [`crate::aggregators::asynchronous`] has the definitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AsyncRuleConfig {
    /// ASGD: each gradient is a step.
    Asgd,
    /// ASGD with old gradients scaled by `(1 + tau)^-exponent`.
    StalenessAware {
        /// At least 0.
        exponent: f64,
    },
    /// FedAsync.
    #[serde(rename = "fedasync")]
    FedAsync {
        /// `a`, in `(0, 1)`.
        mixing: f64,
        /// `a` of `(1 + tau)^-a`, at least 0.
        exponent: f64,
    },
    /// Kardam, with `e^(-dampening tau)`.
    Kardam {
        /// At least 0.
        dampening: f64,
    },
    /// BASGD with the coordinate median.
    Basgd {
        /// `B`, at least 1.
        buffers: usize,
    },
    /// FedBuff with the trimmed mean.
    #[serde(rename = "fedbuff")]
    FedBuff {
        /// `K`, at least 1.
        size: usize,
    },
    /// Weighted median and CTMA.
    Ctma {
        /// `beta`, in `[0, 1)`.
        momentum: f64,
        /// The geometric median; otherwise the median of each coordinate.
        geometric: bool,
    },
    /// Zeno++. Needs server data.
    ZenoPlusPlus {
        /// `rho`, at least 0.
        rho: f64,
        /// `epsilon`, at least 0.
        epsilon: f64,
        /// Updates between two gradients of the server, at least 1.
        refresh: u64,
    },
    /// AFLGuard. Needs server data.
    AflGuard {
        /// `lambda`, above 0.
        tolerance: f64,
    },
}

impl AsyncRuleConfig {
    /// Checks the parameters for a number of workers.
    ///
    /// # Errors
    /// Returns the expected and the found values if a parameter is out of range.
    pub fn validate(self, workers: usize) -> Result<(), String> {
        let (valid, expected) = match self {
            Self::Asgd => return Ok(()),
            Self::StalenessAware { exponent } => (exponent >= 0.0, "an exponent of at least 0"),
            Self::FedAsync { mixing, exponent } => (
                mixing > 0.0 && mixing < 1.0 && exponent >= 0.0,
                "mixing above 0 and below 1 and an exponent of at least 0",
            ),
            Self::Kardam { dampening } => (dampening >= 0.0, "a dampening of at least 0"),
            Self::Basgd { buffers } => (
                (1..=workers).contains(&buffers),
                "at least one buffer and at most one per worker",
            ),
            Self::FedBuff { size } => (size >= 1, "a buffer of at least 1"),
            Self::Ctma { momentum, .. } => {
                ((0.0..1.0).contains(&momentum), "momentum of 0 to below 1")
            }
            Self::ZenoPlusPlus {
                rho,
                epsilon,
                refresh,
            } => (
                rho >= 0.0 && epsilon >= 0.0 && refresh >= 1,
                "rho and epsilon of at least 0 and refresh of at least 1",
            ),
            Self::AflGuard { tolerance } => (tolerance > 0.0, "a tolerance above 0"),
        };
        if valid {
            Ok(())
        } else {
            Err(format!("expected {expected}, found {self:?}"))
        }
    }
}

/// A rule that aggregates a round; [`crate::aggregators::synchronous`] has the definitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AggregatorConfig {
    /// The mean.
    Mean,
    /// Krum, with the paper's neighbours.
    Krum,
    /// Multi-Krum: the mean of the `n - f` gradients with the best Krum scores.
    MultiKrum,
    /// The median of each coordinate.
    CoordinateMedian,
    /// The mean of each coordinate without the `f` largest and the `f` smallest.
    TrimmedMean,
    /// The geometric median.
    GeometricMedian,
    /// Bulyan, with the paper's counts.
    Bulyan,
    /// Centered clipping.
    CenteredClipping {
        /// `tau`, above 0.
        radius: f64,
        /// `L`, at least 1.
        iterations: usize,
    },
    /// signSGD with majority vote.
    #[serde(rename = "signsgd-majority-vote")]
    MajorityVote,
    /// Nearest-neighbour mixing before another rule.
    Nnm(Box<AggregatorConfig>),
    /// Bucketing before another rule, by `s = 1 / (2 delta)` rounded down and at most 2, with `delta` the Byzantine
    /// fraction (Karimireddy et al. 2022, arXiv 2006.09365, theorem I). Above a quarter, it only shuffles.
    Bucketing(Box<AggregatorConfig>),
}

impl AggregatorConfig {
    /// Checks the parameters.
    ///
    /// # Errors
    /// Returns the expected and the found values if a parameter is out of range.
    pub fn validate(&self) -> Result<(), String> {
        match self {
            Self::CenteredClipping { radius, iterations }
                if !(*radius > 0.0 && *iterations >= 1) =>
            {
                Err(format!(
                    "expected a radius above 0 and iterations of at least 1, found {self:?}"
                ))
            }
            Self::Nnm(rule) | Self::Bucketing(rule) => rule.validate(),
            _ => Ok(()),
        }
    }
}
