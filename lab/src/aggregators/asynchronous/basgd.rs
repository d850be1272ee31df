//! BASGD: buffers gradients until every buffer has one.

use crate::aggregators::math::finite::is_finite;
use crate::aggregators::math::sgd::descend;
use crate::aggregators::{Aggregator, AsyncAggregator, GradientUpdate};

/// A rule that averages the gradients of each group of workers, and aggregates the groups once each has sent one.
///
/// ```text
///   b = worker mod B,   N_b <- N_b + 1,   h_b <- h_b + (g - h_b) / N_b
///   once all N_b > 0:   x <- x - eta R(h_1, ..., h_B),   h_b <- 0,   N_b <- 0
/// ```
///
/// `R` is a synchronous rule, in the paper the coordinate median or the trimmed mean.
///
/// Source: Yang, Li, "BASGD: buffered asynchronous SGD for Byzantine learning" (ICML 2021, arXiv 2003.00937), with the
/// workers' buffers fixed. Tolerates fewer Byzantine workers than `R` tolerates Byzantine buffers. Uses the sender of a
/// gradient, not its staleness. Cost: `O(d)` per update and `B d` numbers, and the cost of `R` once per `B` updates or more.
#[derive(Clone, Debug)]
pub struct Basgd<R> {
    step: f64,
    rule: R,
    buffers: Vec<Buffer>,
}

/// The mean gradient of a group.
#[derive(Clone, Debug, Default)]
struct Buffer {
    mean: Vec<f32>,
    count: u64,
}

impl Buffer {
    fn add(&mut self, gradient: &[f32]) {
        self.mean.resize(gradient.len(), 0.0);
        self.count += 1;
        let part = 1.0 / self.count as f64;
        for (mean, value) in self.mean.iter_mut().zip(gradient) {
            *mean = ((1.0 - part) * f64::from(*mean) + part * f64::from(*value)) as f32;
        }
    }
}

impl<R> Basgd<R> {
    /// Creates the rule with empty buffers. `step` is `eta`, above 0; `buffers` is `B`, from 1 up to the number of workers.
    pub fn new(step: f64, buffers: usize, rule: R) -> Self {
        Self {
            step,
            rule,
            buffers: vec![Buffer::default(); buffers.max(1)],
        }
    }
}

impl<R: Aggregator> AsyncAggregator for Basgd<R> {
    fn receive(&mut self, update: &GradientUpdate<'_>, x: &mut [f32]) {
        if !is_finite(update.gradient) {
            return;
        }
        let group = update.worker % self.buffers.len();
        self.buffers[group].add(update.gradient);
        if self.buffers.iter().all(|buffer| buffer.count > 0) {
            let means: Vec<&[f32]> = self
                .buffers
                .iter()
                .map(|buffer| buffer.mean.as_slice())
                .collect();
            descend(x, self.step, &self.rule.aggregate(&means));
            self.buffers.iter_mut().for_each(|buffer| buffer.count = 0);
        }
    }
}
