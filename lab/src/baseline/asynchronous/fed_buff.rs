//! FedBuff: a round is over when enough gradients have come, whoever sent them.

use super::{StalenessFunction, descend};
use crate::baseline::finite::is_finite;
use crate::method::{Aggregation, Arrival, AsyncRule};

/// Collects gradients, and joins them when there are `K`.
///
/// ```text
///   buffer <- buffer and s(tau) g;   once it holds K:   x <- x - eta R(buffer),   buffer <- empty
/// ```
///
/// With the mean for `R` this is FedBuff; with the trimmed mean it stands as many hostile gradients among `K` as are
/// trimmed. Someone who sends fast fills the buffer.
///
/// Source: Nguyen, Malik, Zhan, Yousefpour, Rabbat, Malek, Huba, "Federated learning with buffered asynchronous
/// aggregation" (AISTATS 2022, arXiv 2106.06639), with one local step. It sees nothing but the gradient and its
/// staleness. Cost: `O(d)` an arrival and `K d` numbers, and that of `R` once in `K` arrivals.
#[derive(Clone, Debug)]
pub struct FedBuff<R> {
    step: f64,
    size: usize,
    staleness: StalenessFunction,
    rule: R,
    buffer: Vec<Vec<f32>>,
}

impl<R> FedBuff<R> {
    /// The rule with an empty buffer. `step` is `eta`, above 0; `size` is `K`, from 1; `staleness` is `s`.
    pub fn new(step: f64, size: usize, staleness: StalenessFunction, rule: R) -> Self {
        Self { step, size, staleness, rule, buffer: Vec::new() }
    }
}

impl<R: Aggregation> AsyncRule for FedBuff<R> {
    fn receive(&mut self, arrival: &Arrival<'_>, x: &mut [f32]) {
        if !is_finite(arrival.gradient) {
            return;
        }
        let factor = self.staleness.factor(arrival.staleness);
        let scaled = arrival.gradient.iter().map(|value| (factor * f64::from(*value)) as f32);
        self.buffer.push(scaled.collect());
        if self.buffer.len() >= self.size {
            let gradients: Vec<&[f32]> = self.buffer.iter().map(Vec::as_slice).collect();
            descend(x, self.step, &self.rule.aggregate(&gradients));
            self.buffer.clear();
        }
    }
}
