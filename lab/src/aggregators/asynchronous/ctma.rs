//! Weighted robust aggregation: a worker's momentum is weighted by the number of its gradients.

use crate::aggregators::asynchronous::centered_trimming::centered_trimmed_mean;
use crate::aggregators::asynchronous::centered_trimming::mean_of_closest;
use crate::aggregators::math::coordinate_wise::coordinate_wise;
use crate::aggregators::math::finite::is_finite;
use crate::aggregators::math::pairwise_distances::PairwiseDistances;
use crate::aggregators::math::sgd::descend;
use crate::aggregators::math::weighted_median::weighted_median;
use crate::aggregators::synchronous::smoothed_weiszfeld;
use crate::aggregators::{AsyncAggregator, GradientUpdate};

/// The center of the trimming.
#[derive(Clone, Copy, Debug)]
pub enum WeightedMedian {
    /// The weighted median of each coordinate.
    Coordinate,
    /// As [`GeometricMedian`](crate::aggregators::synchronous::GeometricMedian), with weights.
    Geometric {
        /// `nu`: smallest distance, above 0, in the units of a gradient.
        smoothing: f64,
        /// `T`: iterations, from 1.
        iterations: usize,
    },
}

impl WeightedMedian {
    /// Returns the median of `gradients`, `[n][d]`, at least one, with `weights`, `[n]`, each above 0.
    fn median(self, gradients: &[&[f32]], weights: &[f64]) -> Vec<f32> {
        match self {
            Self::Coordinate => {
                coordinate_wise(gradients, |values| weighted_median(values, weights))
            }
            Self::Geometric {
                smoothing,
                iterations,
            } => smoothed_weiszfeld(gradients, weights, smoothing, iterations),
        }
    }
}

/// Parameters of weighted aggregation.
#[derive(Clone, Copy, Debug)]
pub struct CtmaOptions {
    /// `eta`, above 0.
    pub step: f64,
    /// `beta`: decay of a worker's momentum, in `[0, 1)`.
    pub momentum: f64,
    /// Center of the trimming.
    pub median: WeightedMedian,
    /// `lambda`: fraction of the weight to trim, in `[0, 1/2)`.
    pub trimmed: f64,
}

/// A rule that aggregates the newest momenta of all workers with each update, weighted by their numbers of gradients.
///
/// ```text
///   s_i <- s_i + 1,   m_i <- beta m_i + (1 - beta) g        of the sender i; initially m_i = g
///   c    = weighted median of all m_i, weights s_i
///   x   <- x - eta CTMA(m, s, c)                            the mean of the fraction 1 - lambda that is closest to c
/// ```
///
/// Frequent senders have more weight, so `lambda` bounds a fraction of gradients, not of workers.
///
/// Source: Dahan, Levy, "Weight for robustness: a comprehensive approach towards optimal fault-tolerant asynchronous
/// ML" (NeurIPS 2024, arXiv 2501.09621), the weighted aggregators and weighted CTMA, with momentum; the paper's own
/// estimator (mu^2-SGD) needs two gradients of each minibatch. The server keeps the momenta, which is equivalent for honest
/// workers and applies to attackers too. Uses the sender of a gradient, not its staleness. Cost: `O(nd)` per update, or
/// `O(nd + T n^2)` with the geometric median, and `n d` numbers.
#[derive(Clone, Debug)]
pub struct Ctma {
    options: CtmaOptions,
    /// In the order of their first gradients.
    workers: Vec<WorkerMomentum>,
    /// Distances of the workers' momenta, with the geometric median only.
    distances: PairwiseDistances,
}

/// A worker's momentum and its number of gradients.
#[derive(Clone, Debug)]
struct WorkerMomentum {
    worker: usize,
    momentum: Vec<f32>,
    count: u64,
}

impl WorkerMomentum {
    fn push(&mut self, gradient: &[f32], kept: f64) {
        self.count += 1;
        for (momentum, value) in self.momentum.iter_mut().zip(gradient) {
            *momentum = (kept * f64::from(*momentum) + (1.0 - kept) * f64::from(*value)) as f32;
        }
    }
}

impl Ctma {
    /// Creates the rule without any gradient.
    pub fn new(options: CtmaOptions) -> Self {
        Self {
            options,
            workers: Vec::new(),
            distances: PairwiseDistances::default(),
        }
    }

    /// Adds a gradient to its sender's momentum, and returns the sender's index.
    fn push(&mut self, update: &GradientUpdate<'_>) -> usize {
        let known = self
            .workers
            .iter()
            .position(|known| known.worker == update.worker);
        let sender = known.unwrap_or(self.workers.len());
        if known.is_none() {
            let momentum = update.gradient.to_vec();
            self.workers.push(WorkerMomentum {
                worker: update.worker,
                momentum,
                count: 0,
            });
        }
        self.workers[sender].push(update.gradient, self.options.momentum);
        sender
    }

    /// Returns CTMA of all momenta, of which only the sender's is new.
    fn aggregate(&mut self, sender: usize) -> Vec<f32> {
        let CtmaOptions {
            median, trimmed, ..
        } = self.options;
        let momenta: Vec<&[f32]> = self
            .workers
            .iter()
            .map(|worker| worker.momentum.as_slice())
            .collect();
        let weights: Vec<f64> = self
            .workers
            .iter()
            .map(|worker| worker.count as f64)
            .collect();
        if let WeightedMedian::Geometric {
            smoothing,
            iterations,
        } = median
        {
            self.distances.update(&momenta, sender);
            if let Some(distances) = self
                .distances
                .distances_to_geometric_median(&weights, smoothing, iterations)
            {
                return mean_of_closest(&momenta, &weights, &distances, trimmed);
            }
        }
        centered_trimmed_mean(
            &momenta,
            &weights,
            &median.median(&momenta, &weights),
            trimmed,
        )
    }
}

impl AsyncAggregator for Ctma {
    fn receive(&mut self, update: &GradientUpdate<'_>, x: &mut [f32]) {
        if is_finite(update.gradient) {
            let sender = self.push(update);
            descend(x, self.options.step, &self.aggregate(sender));
        }
    }
}
