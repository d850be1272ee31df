//! Attacks of Byzantine workers, one definition for every kind of update.
//!
//! ```text
//!   r_i     the honest update of worker i: its momentum, [d]
//!   mu, sd  mean and standard deviation of the latest r_i of honest workers, coordinate by coordinate, [d]
//!   b       the Byzantine update, [d]
//!
//!   gradient updates carry b;  sign updates carry sign(A b), A the directions of the attacker's task
//! ```
//!
//! An attack is defined on vectors. A sign update keeps only the direction of each coordinate of `b`, never its size. In
//! zeroth order `r_i = A' y_i`.
//!
//! Omniscient attacks use `mu` and `sd`, the latest updates of all honest workers; real attackers do not have them. The
//! cost of an attack is given in gradients per update.

mod byzantine_worker;
mod observed_updates;

pub use byzantine_worker::{AttackOutput, ByzantineWorker, Population};
pub use observed_updates::ObservedUpdates;

use farsign::dataset::Dataset;
use serde::{Deserialize, Serialize};

/// An attack with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Attack {
    /// The opposite of the honest update, `b = -scale r` (folklore; e.g. Li et al. 2019, arXiv 1811.03761).
    /// Cost: one gradient.
    SignFlip {
        /// Above 0; without effect on signs.
        #[serde(default = "one")]
        scale: f32,
    },
    /// A random vector, each coordinate `+-scale rms(r)` by a fair coin; random bits in a sign update (the Gaussian
    /// attack of Blanchard et al. 2017, arXiv 1703.02757, with two values). Cost: one gradient, for its size.
    RandomSign {
        /// Above 0; without effect on signs.
        #[serde(default = "one")]
        scale: f32,
    },
    /// The same push in every update, `b = scale rms(r) u`, with random signs `u` that all attackers share. Cost: one
    /// gradient, for its size.
    ConstantSign {
        /// Above 0; without effect on signs.
        #[serde(default = "one")]
        scale: f32,
        /// All of `u` positive. Softmax regression is immune: its outputs do not change when all parameters rise.
        #[serde(default)]
        positive: bool,
    },
    /// Inner-product manipulation, `b = -epsilon mu` (Xie et al. 2020, arXiv 1903.03936, equation 1). Omniscient: its
    /// signs are wrong wherever the honest mean is right. A small `epsilon` evades rules that compare distances. Cost:
    /// none.
    Ipm {
        /// Above 0; without effect on signs.
        #[serde(default = "one")]
        epsilon: f32,
    },
    /// A Little Is Enough, `b = mu - z sd sign(mu)` (Baruch et al. 2019, arXiv 1902.06156, algorithm 3, which subtracts
    /// `z sd` in every coordinate). Here the shift is against the mean, which harms signs: the update is honest where
    /// honest workers agree, and flips the vote where they do not. Omniscient. Cost: none.
    Alie {
        /// Standard deviations from the mean, above 0. `None` uses the paper's equation for the number of workers and
        /// attackers: enough honest workers are further away to form a majority with the attackers.
        #[serde(default)]
        z: Option<f32>,
    },
    /// Honest work on images with flipped labels: `9 - label` with ten classes (Tolpegin et al. 2020, arXiv 2007.08432).
    /// Cost: one gradient.
    LabelFlip,
    /// The latest update of one fixed honest worker (Karimireddy et al. 2022, arXiv 2006.09365, section 3.3, which selects
    /// the worker by the variance of its updates; here it is the first worker observed). Each update is correct but
    /// overrepresented, which harms if the workers' data differ. Omniscient. Cost: none.
    Mimic,
    /// The first honest update that any attacker observed, repeated: it was correct once. Cost: none.
    Replay,
    /// A slow coherent push: `b = r + strength rms(r) u`, with signs `u` that all attackers share. It differs from honest
    /// updates only where they are small. Cost: one gradient.
    CoherentDrift {
        /// Above 0: size of the push relative to an honest update.
        #[serde(default = "half")]
        strength: f32,
    },
    /// Honest at first, then the opposite of honest updates. Cost: one gradient.
    Sleeper {
        /// Honest updates before the first attack.
        #[serde(default = "sixty")]
        honest_updates: u64,
    },
    /// The opposite of honest updates at a high rate: the same number of attackers sends more of the updates. Cost: one
    /// gradient, at `factor` times the speed.
    Flooding {
        /// Factor on the speed, above 1.
        #[serde(default = "ten")]
        factor: f32,
    },
    /// The opposite of honest updates; an ejected attacker rejoins at once under a new identity (Douceur 2002). With
    /// patience, each identity first sends a random number of honest updates. Cost: one gradient.
    Sybil {
        /// Minimum number of honest updates per identity.
        #[serde(default)]
        min_patience: u64,
        /// Maximum number of honest updates per identity, at least `min_patience`.
        #[serde(default)]
        max_patience: u64,
    },
    /// Honest updates, delayed until they are stale: every bit is correct, so verification passes. Where rare senders
    /// have more weight, each update has more weight. Cost: one gradient, at a fraction of the speed.
    Stale {
        /// Factor on the time of a task, above 1.
        #[serde(default = "ten")]
        factor: f32,
    },
    /// Zeroth order: forged losses that give every derivative the wrong sign without the noise of an honest estimate:
    /// `b = -grad F(x_v; xi)`, computed on the attacker's data. In first order, a sign flip without momentum. Cost: one
    /// gradient.
    ZerothOrder,
}

fn one() -> f32 {
    1.0
}

fn half() -> f32 {
    0.5
}

fn ten() -> f32 {
    10.0
}

fn sixty() -> u64 {
    60
}

impl Attack {
    /// Returns the name in tables and files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SignFlip { .. } => "sign-flip",
            Self::RandomSign { .. } => "random-sign",
            Self::ConstantSign { .. } => "constant-sign",
            Self::Ipm { epsilon } if *epsilon < 1.0 => "ipm-small",
            Self::Ipm { .. } => "ipm",
            Self::Alie { .. } => "alie",
            Self::LabelFlip => "label-flip",
            Self::Mimic => "mimic",
            Self::Replay => "replay",
            Self::CoherentDrift { .. } => "coherent-drift",
            Self::Sleeper { .. } => "sleeper",
            Self::Flooding { .. } => "flooding",
            Self::Sybil {
                max_patience: 0, ..
            } => "sybil",
            Self::Sybil { .. } => "patient-sybil",
            Self::Stale { .. } => "stale",
            Self::ZerothOrder => "zeroth-order",
        }
    }

    /// Returns whether the attack uses the updates of honest workers.
    pub fn is_omniscient(&self) -> bool {
        matches!(
            self,
            Self::Ipm { .. } | Self::Alie { .. } | Self::Mimic | Self::Replay
        )
    }

    /// Returns whether an attacker computes an honest update for each of its own.
    pub fn needs_own_work(&self) -> bool {
        !self.is_omniscient()
    }

    /// Returns whether an ejected attacker rejoins under a new identity.
    pub fn rejoins(&self) -> bool {
        matches!(self, Self::Sybil { .. })
    }

    /// Returns the factor on the time of an attacker's task.
    pub fn slowdown(&self) -> f64 {
        match *self {
            Self::Flooding { factor } => 1.0 / f64::from(factor),
            Self::Stale { factor } => f64::from(factor),
            _ => 1.0,
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// Returns the expected and the found value if a parameter is out of range.
    pub fn validate(&self) -> Result<(), String> {
        let above = |name: &str, min: f32, value: f32| {
            if value > min && value.is_finite() {
                return Ok(());
            }
            Err(format!(
                "{}: expected {name} above {min}, found {value}",
                self.name()
            ))
        };
        match *self {
            Self::SignFlip { scale }
            | Self::RandomSign { scale }
            | Self::ConstantSign { scale, .. } => above("scale", 0.0, scale),
            Self::Ipm { epsilon } => above("epsilon", 0.0, epsilon),
            Self::Alie { z } => z.map_or(Ok(()), |z| above("z", 0.0, z)),
            Self::CoherentDrift { strength } => above("strength", 0.0, strength),
            Self::Flooding { factor } | Self::Stale { factor } => above("factor", 1.0, factor),
            Self::Sybil {
                min_patience,
                max_patience,
            } if min_patience > max_patience => Err(format!(
                "sybil: expected min_patience of at most max_patience ({max_patience}), found {min_patience}"
            )),
            _ => Ok(()),
        }
    }
}

/// Returns the same images with flipped labels: the data of `label-flip`.
pub fn flip_labels(data: &Dataset) -> Dataset {
    let last = (data.classes() - 1) as u8;
    data.map_labels(|label| last - label)
}
