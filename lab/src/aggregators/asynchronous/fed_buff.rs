//! FedBuff: aggregates each `K` gradients, from any senders.

use crate::aggregators::math::finite::is_finite;
use crate::aggregators::math::sgd::descend;
use crate::aggregators::math::staleness::StalenessFunction;
use crate::aggregators::{Aggregator, AsyncAggregator, GradientUpdate};

/// A rule that collects `K` gradients and aggregates them.
///
/// ```text
///   buffer <- buffer and s(tau) g;   once it holds K:   x <- x - eta R(buffer),   buffer <- empty
/// ```
///
/// With the mean for `R` this is FedBuff; with the trimmed mean it tolerates as many Byzantine gradients among `K` as
/// it trims. A worker that floods fills the buffer.
///
/// Source: Nguyen, Malik, Zhan, Yousefpour, Rabbat, Malek, Huba, "Federated learning with buffered asynchronous
/// aggregation" (AISTATS 2022, arXiv 2106.06639), with one local step. Uses only the gradient and its
/// staleness. Cost: `O(d)` per update and `K d` numbers, and the cost of `R` once per `K` updates.
#[derive(Clone, Debug)]
pub struct FedBuff<R> {
    step: f64,
    size: usize,
    staleness: StalenessFunction,
    rule: R,
    buffer: Vec<Vec<f32>>,
}

impl<R> FedBuff<R> {
    /// Creates the rule with an empty buffer. `step` is `eta`, above 0; `size` is `K`, from 1; `staleness` is `s`.
    pub fn new(step: f64, size: usize, staleness: StalenessFunction, rule: R) -> Self {
        Self {
            step,
            size,
            staleness,
            rule,
            buffer: Vec::new(),
        }
    }
}

impl<R: Aggregator> AsyncAggregator for FedBuff<R> {
    fn receive(&mut self, update: &GradientUpdate<'_>, x: &mut [f32]) {
        if !is_finite(update.gradient) {
            return;
        }
        let factor = self.staleness.factor(update.staleness);
        let scaled = update
            .gradient
            .iter()
            .map(|value| (factor * f64::from(*value)) as f32);
        self.buffer.push(scaled.collect());
        if self.buffer.len() >= self.size {
            let gradients: Vec<&[f32]> = self.buffer.iter().map(Vec::as_slice).collect();
            descend(x, self.step, &self.rule.aggregate(&gradients));
            self.buffer.clear();
        }
    }
}
