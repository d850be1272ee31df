//! Names of the rules that FAR-SIGN is compared with, and how each is made for a run.
//!
//! A rule that has to be told how many liars there are is told the truth, which is the best that can be known of them.

use std::sync::Arc;

use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use serde::{Deserialize, Serialize};

use crate::baseline::asynchronous::{
    AflGuard, Asgd, Basgd, FedAsync, FedBuff, Kardam, KardamOptions, StalenessFunction, Weighted,
    WeightedMedian, WeightedOptions, ZenoOptions, ZenoPlusPlus,
};
use crate::baseline::synchronous::{
    Bucketing, Bulyan, CenteredClipping, CoordinateMedian, GeometricMedian, Krum, MajorityVote, Mean,
    MultiKrum, NearestNeighbourMixing, Neighbours, TrimmedMean,
};
use crate::chance::{Chance, Part};
use crate::materials::Materials;
use crate::method::{Aggregation, AsyncRule};

/// `nu` and `T` of geometric medians, as byzfl has them.
const SMOOTHING: f64 = 0.1;
const ITERATIONS: usize = 3;

/// Largest share that weighted rules trim.
const MOST_TRIMMED: f64 = 0.49;

/// What a rule may know of a run.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// Workers, or gradients of a round.
    pub gradients: usize,
    /// How many of them to reckon with as liars.
    pub liars: usize,
    /// Seed of the run.
    pub seed: u64,
    /// Images in a minibatch of the server's own, for rules that need one.
    pub batch: u32,
    /// Where such a rule takes it from.
    pub materials: &'a Materials,
}

impl Server<'_> {
    /// The gradient that the server computes on data of its own, in minibatches.
    fn own_gradient(&self) -> impl FnMut(&[f32]) -> Vec<f32> + use<> {
        let mut chance = Chance::new(self.seed, Part::Host, 1);
        let (mut kernel, mut batch) = (Kernel::new(&self.materials.architecture), Minibatch::default());
        let (data, size) = (Arc::clone(&self.materials.validation), self.batch as usize);
        move |x: &[f32]| {
            let mut gradient = vec![0.0; x.len()];
            batch.draw(&data, chance.bits(), size);
            kernel.loss_and_gradient(x, &batch, &mut gradient);
            gradient
        }
    }
}

/// Rules that apply each gradient when it comes; their definitions are in [`crate::baseline::asynchronous`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AsyncRuleName {
    /// Each gradient is a step.
    Asgd,
    /// The same, old gradients counting `(1 + tau)^-exponent`.
    StalenessAware {
        /// From 0.
        exponent: f64,
    },
    /// FedAsync.
    FedAsync {
        /// `a`, in `(0, 1)`.
        mixing: f64,
        /// `a` of `(1 + tau)^-a`, from 0.
        exponent: f64,
    },
    /// Kardam, with `e^(-dampening tau)`.
    Kardam {
        /// From 0.
        dampening: f64,
    },
    /// BASGD with the coordinate median.
    Basgd {
        /// `B`, at least 1.
        buffers: usize,
    },
    /// FedBuff with the trimmed mean.
    FedBuff {
        /// `K`, at least 1.
        size: usize,
    },
    /// Weighted median and CTMA.
    Weighted {
        /// `beta`, in `[0, 1)`.
        momentum: f64,
        /// Whether the median is the geometric one; else that of each coordinate.
        geometric: bool,
    },
    /// Zeno++. Needs data of the server.
    Zeno {
        /// `rho`, from 0.
        rho: f64,
        /// `epsilon`, from 0.
        epsilon: f64,
        /// Arrivals between two gradients of the server, at least 1.
        refresh: u64,
    },
    /// AFLGuard. Needs data of the server.
    AflGuard {
        /// `lambda`, above 0.
        tolerance: f64,
    },
}

impl AsyncRuleName {
    /// The rule, with a step of `eta`, where liars are to be expected to send the part `hostile` of all gradients.
    pub fn make(self, step: f64, hostile: f64, server: &Server<'_>) -> Box<dyn AsyncRule> {
        let polynomial = |exponent| StalenessFunction::Polynomial { exponent };
        match self {
            Self::Asgd => Box::new(Asgd { step, staleness: StalenessFunction::Constant }),
            Self::StalenessAware { exponent } => Box::new(Asgd { step, staleness: polynomial(exponent) }),
            Self::FedAsync { mixing, exponent } => {
                Box::new(FedAsync { step, mixing, staleness: polynomial(exponent) })
            }
            Self::Kardam { dampening } => Box::new(Kardam::new(KardamOptions {
                step,
                staleness: StalenessFunction::Exponential { rate: dampening },
                workers: server.gradients,
                f: server.liars,
            })),
            Self::Basgd { buffers } => Box::new(Basgd::new(step, buffers, CoordinateMedian)),
            Self::FedBuff { size } => {
                let trimmed = most_in_a_buffer(hostile, size);
                let staleness = StalenessFunction::Constant;
                Box::new(FedBuff::new(step, size, staleness, TrimmedMean { trimmed }))
            }
            Self::Weighted { momentum, geometric } => {
                let around = WeightedMedian::Geometric { smoothing: SMOOTHING, iterations: ITERATIONS };
                let median = if geometric { around } else { WeightedMedian::Coordinate };
                let trimmed = hostile.min(MOST_TRIMMED);
                Box::new(Weighted::new(WeightedOptions { step, momentum, median, trimmed }))
            }
            Self::Zeno { rho, epsilon, refresh } => {
                let options = ZenoOptions { step, rho, epsilon, refresh };
                Box::new(ZenoPlusPlus::new(options, server.own_gradient()))
            }
            Self::AflGuard { tolerance } => Box::new(AflGuard::new(step, tolerance, server.own_gradient())),
        }
    }

    /// What is wrong with its parameters where there are so many workers, if something is.
    pub fn mistake(self, workers: usize) -> Option<String> {
        let expect = |right: bool, what: &str| (!right).then(|| format!("expected {what}, found {self:?}"));
        match self {
            Self::Asgd => None,
            Self::StalenessAware { exponent } => expect(exponent >= 0.0, "an exponent of at least 0"),
            Self::FedAsync { mixing, exponent } => expect(
                mixing > 0.0 && mixing < 1.0 && exponent >= 0.0,
                "mixing above 0 and below 1 and an exponent of at least 0",
            ),
            Self::Kardam { dampening } => expect(dampening >= 0.0, "a dampening of at least 0"),
            Self::Basgd { buffers } => expect(
                (1..=workers).contains(&buffers),
                "buffers for at least a worker each, and at least one",
            ),
            Self::FedBuff { size } => expect(size >= 1, "a buffer of at least 1"),
            Self::Weighted { momentum, .. } => {
                expect((0.0..1.0).contains(&momentum), "momentum of 0 to below 1")
            }
            Self::Zeno { rho, epsilon, refresh } => expect(
                rho >= 0.0 && epsilon >= 0.0 && refresh >= 1,
                "rho and epsilon of at least 0 and refresh of at least 1",
            ),
            Self::AflGuard { tolerance } => expect(tolerance > 0.0, "a tolerance above 0"),
        }
    }
}

/// How gradients of a round are joined; the definitions are in [`crate::baseline::synchronous`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AggregationName {
    /// Their mean.
    Mean,
    /// Krum, with the paper's neighbours.
    Krum,
    /// Multi-Krum: the mean of the `n - f` that Krum likes best.
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
    MajorityVote,
    /// Nearest-neighbour mixing before another rule.
    Mixing(Box<AggregationName>),
    /// Bucketing before another rule, by `s = 1 / (2 delta)` rounded down and at most two, `delta` the share of liars
    /// (Karimireddy et al. 2022, arXiv 2006.09365, theorem I): of more than a quarter, it only shuffles.
    Bucketing(Box<AggregationName>),
}

/// Most gradients in a bucket.
const BUCKET: usize = 2;

/// Liars to reckon with in a buffer of `size`, where a `share` of all messages is theirs: a standard deviation more than
/// in the mean, and at most a minority.
fn most_in_a_buffer(share: f64, size: usize) -> usize {
    let mean = share * size as f64;
    let most = (mean + (mean * (1.0 - share)).sqrt()).ceil() as usize;
    most.min((size - 1) / 2)
}

impl AggregationName {
    /// The rule.
    pub fn make(&self, server: &Server<'_>) -> Box<dyn Aggregation> {
        let (n, f) = (server.gradients, server.liars);
        let neighbours = Neighbours::paper(f);
        match self {
            Self::Mean => Box::new(Mean),
            Self::Krum => Box::new(Krum { neighbours }),
            Self::MultiKrum => Box::new(MultiKrum { neighbours, selected: n - f.min(n - 1) }),
            Self::CoordinateMedian => Box::new(CoordinateMedian),
            Self::TrimmedMean => Box::new(TrimmedMean { trimmed: f }),
            Self::GeometricMedian => {
                Box::new(GeometricMedian { smoothing: SMOOTHING, iterations: ITERATIONS })
            }
            Self::Bulyan => Box::new(Bulyan::paper(n, f)),
            Self::CenteredClipping { radius, iterations } => {
                Box::new(CenteredClipping::new(*radius, *iterations))
            }
            Self::MajorityVote => Box::new(MajorityVote),
            Self::Mixing(rule) => Box::new(NearestNeighbourMixing { f, rule: rule.make(server) }),
            Self::Bucketing(rule) => {
                let bucket = n.checked_div(2 * f).map_or(BUCKET, |largest| largest.clamp(1, BUCKET));
                let gradients = n.div_ceil(bucket);
                let buckets = Server { gradients, liars: f.min((gradients - 1) / 2), ..*server };
                let seed = Chance::new(server.seed, Part::Host, 1).bits();
                Box::new(Bucketing::new(bucket, seed, rule.make(&buckets)))
            }
        }
    }

    /// What is wrong with its parameters, if something is.
    pub fn mistake(&self) -> Option<String> {
        match self {
            Self::CenteredClipping { radius, iterations } if !(*radius > 0.0 && *iterations >= 1) => {
                Some(format!("expected a radius above 0 and iterations of at least 1, found {self:?}"))
            }
            Self::Mixing(rule) | Self::Bucketing(rule) => rule.mistake(),
            _ => None,
        }
    }
}
