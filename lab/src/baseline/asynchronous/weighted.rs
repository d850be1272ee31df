//! Weighted robust aggregation: a worker's momentum counts by how often the worker was heard.

use super::centered_trimming::mean_of_the_closest;
use super::pairs::Pairs;
use super::weighted_median::weighted_median;
use super::{centered_trimmed_mean, descend};
use crate::baseline::coordinate::by_coordinate;
use crate::baseline::finite::is_finite;
use crate::baseline::synchronous::smoothed_weiszfeld;
use crate::method::{Arrival, AsyncRule};

/// The first guess, which the trimming is centered on.
#[derive(Clone, Copy, Debug)]
pub enum WeightedMedian {
    /// In each coordinate the value with half of the weight below it.
    Coordinate,
    /// As [`GeometricMedian`](crate::baseline::synchronous::GeometricMedian), with weights.
    Geometric {
        /// `nu`: smallest distance reckoned with, above 0, in the units of a gradient.
        smoothing: f64,
        /// `T`: iterations, from 1.
        iterations: usize,
    },
}

impl WeightedMedian {
    /// Of `gradients`, `[n][d]`, with `weights`, `[n]`, each above 0. Needs a gradient.
    fn of(self, gradients: &[&[f32]], weights: &[f64]) -> Vec<f32> {
        match self {
            Self::Coordinate => by_coordinate(gradients, |values| weighted_median(values, weights)),
            Self::Geometric { smoothing, iterations } => {
                smoothed_weiszfeld(gradients, weights, smoothing, iterations)
            }
        }
    }
}

/// What weighted aggregation is started with.
#[derive(Clone, Copy, Debug)]
pub struct WeightedOptions {
    /// `eta`, above 0.
    pub step: f64,
    /// `beta`: what is kept of a worker's momentum, in `[0, 1)`.
    pub momentum: f64,
    /// The first guess.
    pub median: WeightedMedian,
    /// `lambda`: share of the weight that is reckoned to be hostile and is trimmed, in `[0, 1/2)`.
    pub trimmed: f64,
}

/// Joins the newest momenta of all workers at every arrival, each weighted by its worker's number of gradients.
///
/// ```text
///   s_i <- s_i + 1,   m_i <- beta m_i + (1 - beta) g        of the sender i; m_i = g at first
///   c    = weighted median of all m_i, weights s_i
///   x   <- x - eta CTMA(m, s, c)                            the mean of the share 1 - lambda that is closest to c
/// ```
///
/// A worker that sends often weighs more, so `lambda` bounds a share of gradients and not of workers.
///
/// Source: Dahan, Levy, "Weight for robustness: a comprehensive approach towards optimal fault-tolerant asynchronous
/// ML" (NeurIPS 2024, arXiv 2501.09621), the weighted aggregators and weighted CTMA, with momentum; the paper's own
/// estimator (mu^2-SGD) needs two gradients of each minibatch. Momenta are kept at the server, which for honest workers
/// is the same, and keeps a liar's as well. It sees who sent a gradient; the staleness is not used. Cost: `O(nd)` an
/// arrival, or `O(nd + T n^2)` with the geometric median, and `n d` numbers.
#[derive(Clone, Debug)]
pub struct Weighted {
    options: WeightedOptions,
    /// In the order in which they were first heard.
    workers: Vec<Heard>,
    /// Of the workers' momenta, with the geometric median alone.
    pairs: Pairs,
}

/// A worker's momentum, and how many gradients it is of.
#[derive(Clone, Debug)]
struct Heard {
    worker: usize,
    momentum: Vec<f32>,
    count: u64,
}

impl Heard {
    fn take_in(&mut self, gradient: &[f32], kept: f64) {
        self.count += 1;
        for (momentum, value) in self.momentum.iter_mut().zip(gradient) {
            *momentum = (kept * f64::from(*momentum) + (1.0 - kept) * f64::from(*value)) as f32;
        }
    }
}

impl Weighted {
    /// The rule before its first gradient.
    pub fn new(options: WeightedOptions) -> Self {
        Self { options, workers: Vec::new(), pairs: Pairs::default() }
    }

    /// Takes a gradient into its sender's momentum, and tells which of the workers that is.
    fn hear(&mut self, arrival: &Arrival<'_>) -> usize {
        let known = self.workers.iter().position(|heard| heard.worker == arrival.worker);
        let sender = known.unwrap_or(self.workers.len());
        if known.is_none() {
            let momentum = arrival.gradient.to_vec();
            self.workers.push(Heard { worker: arrival.worker, momentum, count: 0 });
        }
        self.workers[sender].take_in(arrival.gradient, self.options.momentum);
        sender
    }

    /// CTMA of all momenta, of which that of `sender` is new.
    fn join(&mut self, sender: usize) -> Vec<f32> {
        let WeightedOptions { median, trimmed, .. } = self.options;
        let momenta: Vec<&[f32]> = self.workers.iter().map(|heard| heard.momentum.as_slice()).collect();
        let weights: Vec<f64> = self.workers.iter().map(|heard| heard.count as f64).collect();
        if let WeightedMedian::Geometric { smoothing, iterations } = median {
            self.pairs.update(&momenta, sender);
            if let Some(distances) = self.pairs.distances_to_geometric_median(&weights, smoothing, iterations)
            {
                return mean_of_the_closest(&momenta, &weights, &distances, trimmed);
            }
        }
        centered_trimmed_mean(&momenta, &weights, &median.of(&momenta, &weights), trimmed)
    }
}

impl AsyncRule for Weighted {
    fn receive(&mut self, arrival: &Arrival<'_>, x: &mut [f32]) {
        if is_finite(arrival.gradient) {
            let sender = self.hear(arrival);
            descend(x, self.options.step, &self.join(sender));
        }
    }
}
