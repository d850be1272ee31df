//! What liars send, one definition for every kind of message.
//!
//! ```text
//!   r_i     what worker i would send if it were honest: its running average of the gradient, [d]
//!   mu, sd  mean and standard deviation of the latest r_i of honest workers, coordinate by coordinate, [d]
//!   b       the lie, [d]
//!
//!   gradient messages carry b;  sign messages carry sign(A b), A the directions of the liar's task
//! ```
//!
//! So a liar decides on a vector, and the kind of message decides what is left of it: of a sign message only the
//! direction of each push, never its size. In zeroth order `r_i = A' y_i`.
//!
//! Attacks that see `mu` and `sd` are omniscient: they know what every honest worker has sent last, which a real liar
//! does not. What an attack costs the liar is in gradients for each of its messages.

mod crowd;
mod liar;

pub use crowd::Crowd;
pub use liar::{Company, Liar, Lie};

use farsign::dataset::Dataset;
use serde::{Deserialize, Serialize};

/// A way to lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Attack {
    /// The opposite of the honest answer, `b = -scale r` (folklore; e.g. Li et al. 2019, arXiv 1811.03761).
    /// Cost: one gradient.
    SignFlip {
        /// Above 0; signs do not show it.
        #[serde(default = "one")]
        scale: f32,
    },
    /// A random vector, each coordinate `+-scale rms(r)` by a fair coin; random bits in a sign message (the Gaussian
    /// attack of Blanchard et al. 2017, arXiv 1703.02757, with two values). Cost: one gradient, for its size.
    Random {
        /// Above 0; signs do not show it.
        #[serde(default = "one")]
        scale: f32,
    },
    /// The same push always, `b = scale rms(r) u`, with random signs `u` that all liars share. Cost: one gradient, for its
    /// size.
    Constant {
        /// Above 0; signs do not show it.
        #[serde(default = "one")]
        scale: f32,
        /// All of `u` positive. Softmax regression does not notice that: what it says does not change when all of its
        /// parameters rise.
        #[serde(default)]
        positive: bool,
    },
    /// Inner-product manipulation, `b = -epsilon mu` (Xie et al. 2020, arXiv 1903.03936, equation 1). Omniscient: its
    /// signs are wrong wherever the honest mean is right. With a small `epsilon` it hides among the honest from rules
    /// that go by distance. Cost: none.
    InnerProduct {
        /// Above 0; signs do not show it.
        #[serde(default = "one")]
        epsilon: f32,
    },
    /// A little is enough, `b = mu - z sd sign(mu)` (Baruch et al. 2019, arXiv 1902.06156, algorithm 3, which subtracts
    /// `z sd` in every coordinate; here it is subtracted against the mean, which is the harm to signs: where honest
    /// workers agree it is honest, where they do not it turns the vote). Omniscient. Cost: none.
    ALittle {
        /// Standard deviations away from the mean, above 0; none: as many as its equation gives for the number of
        /// workers and liars, so that as many honest workers are further away as it takes for a majority.
        #[serde(default)]
        z: Option<f32>,
    },
    /// Honest work on images whose labels are turned round: `9 - label` with ten classes (Tolpegin et al. 2020, arXiv
    /// 2007.08432). Cost: one gradient.
    LabelFlip,
    /// What one honest worker, always the same, has sent last (Karimireddy et al. 2022, arXiv 2006.09365, section
    /// 3.3, which picks the worker by how its answers vary; here it is the first that answered): nothing is wrong with
    /// it, and it counts many times. Harmful where workers' data differ. Omniscient. Cost: none.
    Mimic,
    /// The first honest answer that any of the liars saw, again and again: it was right once. Cost: none.
    Replay,
    /// A slow coherent push: `b = r + strength rms(r) u`, with signs `u` that all liars share. It differs from honest
    /// answers only where they are small. Cost: one gradient.
    Drift {
        /// Above 0: how large the push is beside an honest answer.
        #[serde(default = "half")]
        strength: f32,
    },
    /// Honest for a while, then the opposite of its honest answers. Cost: one gradient.
    Sleeper {
        /// Answers before the first lie.
        #[serde(default = "sixty")]
        honest_answers: u64,
    },
    /// The opposite of its honest answers, computed and sent faster than others: more of the updates for the same number
    /// of liars. Cost: one gradient, at so many times the speed.
    Fast {
        /// Times faster, above 1.
        #[serde(default = "ten")]
        factor: f32,
    },
    /// The opposite of its honest answers; a liar that is removed comes back at once under a new name (Douceur 2002).
    /// With patience it behaves first: for a number of answers, drawn for each name. Cost: one gradient.
    Sybil {
        /// Fewest honest answers of a name.
        #[serde(default)]
        patience_least: u64,
        /// Most honest answers of a name, at least as many.
        #[serde(default)]
        patience_most: u64,
    },
    /// Honest answers, kept back until they are old: every bit is what the task asks for, so that no check finds fault.
    /// Where rare senders weigh more, each of them weighs more. Cost: one gradient, at a fraction of the speed.
    Slow {
        /// Times slower, above 1.
        #[serde(default = "ten")]
        factor: f32,
    },
    /// Zeroth order: losses made up so that every derivative has the wrong sign and none the noise of an honest
    /// estimate: `b = -grad F(x_v; xi)`, which the liar computes from its data. In first order a sign flip without
    /// the average. Cost: one gradient.
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
    /// Its name in tables and files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SignFlip { .. } => "sign-flip",
            Self::Random { .. } => "random",
            Self::Constant { .. } => "constant",
            Self::InnerProduct { epsilon } if *epsilon < 1.0 => "small-inner-product",
            Self::InnerProduct { .. } => "inner-product",
            Self::ALittle { .. } => "a-little",
            Self::LabelFlip => "label-flip",
            Self::Mimic => "mimic",
            Self::Replay => "replay",
            Self::Drift { .. } => "drift",
            Self::Sleeper { .. } => "sleeper",
            Self::Fast { .. } => "fast",
            Self::Sybil { patience_most: 0, .. } => "sybil",
            Self::Sybil { .. } => "patient-sybil",
            Self::Slow { .. } => "slow",
            Self::ZerothOrder => "zeroth-order",
        }
    }

    /// Whether it looks at what honest workers have sent.
    pub fn is_omniscient(&self) -> bool {
        matches!(self, Self::InnerProduct { .. } | Self::ALittle { .. } | Self::Mimic | Self::Replay)
    }

    /// Whether a liar has to work for its lies as an honest worker does.
    pub fn needs_own_work(&self) -> bool {
        !self.is_omniscient()
    }

    /// Whether a liar that is removed comes back under a new name.
    pub fn rejoins(&self) -> bool {
        matches!(self, Self::Sybil { .. })
    }

    /// Time of a liar's answer over that of an honest one.
    pub fn pace(&self) -> f64 {
        match *self {
            Self::Fast { factor } => 1.0 / f64::from(factor),
            Self::Slow { factor } => f64::from(factor),
            _ => 1.0,
        }
    }

    /// What is wrong with its parameters, if something is.
    pub fn mistake(&self) -> Option<String> {
        let above = |name: &str, least: f32, value: f32| {
            let right = value > least && value.is_finite();
            (!right).then(|| format!("{}: expected {name} above {least}, found {value}", self.name()))
        };
        match *self {
            Self::SignFlip { scale } | Self::Random { scale } | Self::Constant { scale, .. } => {
                above("scale", 0.0, scale)
            }
            Self::InnerProduct { epsilon } => above("epsilon", 0.0, epsilon),
            Self::ALittle { z } => z.and_then(|z| above("z", 0.0, z)),
            Self::Drift { strength } => above("strength", 0.0, strength),
            Self::Fast { factor } | Self::Slow { factor } => above("factor", 1.0, factor),
            Self::Sybil { patience_least, patience_most } if patience_least > patience_most => Some(format!(
                "sybil: expected patience_least of at most patience_most ({patience_most}), found {patience_least}"
            )),
            _ => None,
        }
    }
}

/// The same images, their labels turned round: what `label-flip` works on.
pub fn with_labels_turned_round(data: &Dataset) -> Dataset {
    let last = (data.classes() - 1) as u8;
    data.relabelled(data.labels().iter().map(|label| last - label).collect())
}
