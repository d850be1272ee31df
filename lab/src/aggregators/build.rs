//! Builds the rules of a scenario for a run.
//!
//! A rule with a parameter for the number of attackers receives the true number: the best possible knowledge.

use crate::aggregators::asynchronous::{
    AflGuard, Asgd, Basgd, Ctma, CtmaOptions, FedAsync, FedBuff, Kardam, KardamOptions,
    WeightedMedian, ZenoOptions, ZenoPlusPlus,
};
use crate::aggregators::math::staleness::StalenessFunction;
use crate::aggregators::synchronous::{
    Bucketing, Bulyan, CenteredClipping, CoordinateMedian, GeometricMedian, Krum, MajorityVote,
    Mean, MultiKrum, NearestNeighbourMixing, Neighbours, TrimmedMean,
};
use crate::aggregators::{Aggregator, AsyncAggregator};
use crate::rng::{RngStream, SimRng};
use crate::scenario::{AggregatorConfig, AsyncRuleConfig};

/// `nu` of geometric medians, as in byzfl.
const SMOOTHING: f64 = 0.1;

/// `T` of geometric medians, as in byzfl.
const ITERATIONS: usize = 3;

/// Largest fraction that CTMA trims.
const MAX_TRIMMED: f64 = 0.49;

/// Largest number of gradients in a bucket.
const MAX_BUCKET: usize = 2;

/// A function that returns the server's own gradient, `[d]`, at parameters, `[d]`.
pub type ServerGradient = Box<dyn FnMut(&[f32]) -> Vec<f32>>;

/// The facts about a run that rules may use.
#[derive(Clone, Copy)]
pub struct RuleContext<'a> {
    /// Workers, or gradients of a round.
    pub gradients: usize,
    /// Byzantine ones among them.
    pub byzantine: usize,
    /// Seed of the run.
    pub seed: u64,
    /// Creates the server's own gradient, for rules that need server data.
    pub server_gradient: &'a dyn Fn() -> ServerGradient,
}

/// Builds an asynchronous rule with a step of `step`, where attackers send `byzantine_fraction` of all gradients.
pub fn build_async(
    config: AsyncRuleConfig,
    step: f64,
    byzantine_fraction: f64,
    context: &RuleContext<'_>,
) -> Box<dyn AsyncAggregator> {
    let polynomial = |exponent| StalenessFunction::Polynomial { exponent };
    match config {
        AsyncRuleConfig::Asgd => Box::new(Asgd {
            step,
            staleness: StalenessFunction::Constant,
        }),
        AsyncRuleConfig::StalenessAware { exponent } => Box::new(Asgd {
            step,
            staleness: polynomial(exponent),
        }),
        AsyncRuleConfig::FedAsync { mixing, exponent } => Box::new(FedAsync {
            step,
            mixing,
            staleness: polynomial(exponent),
        }),
        AsyncRuleConfig::Kardam { dampening } => Box::new(Kardam::new(KardamOptions {
            step,
            staleness: StalenessFunction::Exponential { rate: dampening },
            workers: context.gradients,
            f: context.byzantine,
        })),
        AsyncRuleConfig::Basgd { buffers } => Box::new(Basgd::new(step, buffers, CoordinateMedian)),
        AsyncRuleConfig::FedBuff { size } => {
            let rule = TrimmedMean {
                trimmed: max_per_buffer(byzantine_fraction, size),
            };
            Box::new(FedBuff::new(step, size, StalenessFunction::Constant, rule))
        }
        AsyncRuleConfig::Ctma {
            momentum,
            geometric,
        } => {
            let median = if geometric {
                WeightedMedian::Geometric {
                    smoothing: SMOOTHING,
                    iterations: ITERATIONS,
                }
            } else {
                WeightedMedian::Coordinate
            };
            let trimmed = byzantine_fraction.min(MAX_TRIMMED);
            Box::new(Ctma::new(CtmaOptions {
                step,
                momentum,
                median,
                trimmed,
            }))
        }
        AsyncRuleConfig::ZenoPlusPlus {
            rho,
            epsilon,
            refresh,
        } => {
            let options = ZenoOptions {
                step,
                rho,
                epsilon,
                refresh,
            };
            Box::new(ZenoPlusPlus::new(options, (context.server_gradient)()))
        }
        AsyncRuleConfig::AflGuard { tolerance } => {
            Box::new(AflGuard::new(step, tolerance, (context.server_gradient)()))
        }
    }
}

/// Returns the number of Byzantine gradients to expect in a buffer of `size`: one standard deviation above the mean, and
/// at most a minority.
fn max_per_buffer(byzantine_fraction: f64, size: usize) -> usize {
    let mean = byzantine_fraction * size as f64;
    let expected = (mean + (mean * (1.0 - byzantine_fraction)).sqrt()).ceil() as usize;
    expected.min((size - 1) / 2)
}

/// Builds a synchronous rule.
pub fn build(config: &AggregatorConfig, context: &RuleContext<'_>) -> Box<dyn Aggregator> {
    let n = context.gradients;
    let f = context.byzantine;
    let neighbours = Neighbours::paper(f);
    match config {
        AggregatorConfig::Mean => Box::new(Mean),
        AggregatorConfig::Krum => Box::new(Krum { neighbours }),
        AggregatorConfig::MultiKrum => Box::new(MultiKrum {
            neighbours,
            selected: n - f.min(n - 1),
        }),
        AggregatorConfig::CoordinateMedian => Box::new(CoordinateMedian),
        AggregatorConfig::TrimmedMean => Box::new(TrimmedMean { trimmed: f }),
        AggregatorConfig::GeometricMedian => Box::new(GeometricMedian {
            smoothing: SMOOTHING,
            iterations: ITERATIONS,
        }),
        AggregatorConfig::Bulyan => Box::new(Bulyan::paper(n, f)),
        AggregatorConfig::CenteredClipping { radius, iterations } => {
            Box::new(CenteredClipping::new(*radius, *iterations))
        }
        AggregatorConfig::MajorityVote => Box::new(MajorityVote),
        AggregatorConfig::Nnm(rule) => Box::new(NearestNeighbourMixing {
            f,
            rule: build(rule, context),
        }),
        AggregatorConfig::Bucketing(rule) => {
            let bucket = n
                .checked_div(2 * f)
                .map_or(MAX_BUCKET, |largest| largest.clamp(1, MAX_BUCKET));
            let gradients = n.div_ceil(bucket);
            let byzantine = f.min((gradients - 1) / 2);
            let rule = build(
                rule,
                &RuleContext {
                    gradients,
                    byzantine,
                    ..*context
                },
            );
            let seed = SimRng::new(context.seed, RngStream::Server, 1).next_u64();
            Box::new(Bucketing::new(bucket, seed, rule))
        }
    }
}
