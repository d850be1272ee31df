//! Bucketing: shuffles gradients and averages them in small groups.

use std::cell::RefCell;

use farsign::random::{Stream, permutation_prefix};

use crate::aggregators::Aggregator;
use crate::aggregators::math::finite::aggregate_finite;
use crate::aggregators::math::mean::mean;

/// A pre-aggregator that passes the means of random buckets to the rule it wraps.
///
/// ```text
///   pi = a new random permutation each round,   g'_b = mean of g_pi(bs + 1), ..., g_pi(bs + s),
///   R = rule(g'_1, ..., g'_ceil(n / s));   the last bucket may be smaller
/// ```
///
/// The `f` of the rule must fit `ceil(n / s)` gradients, up to `f` of which are still Byzantine.
///
/// Source: Karimireddy, He, Jaggi, "Byzantine-robust learning on heterogeneous datasets via bucketing" (ICLR 2022,
/// arXiv 2006.09365). Cost: `O(nd)`, and the cost of the rule.
#[derive(Clone, Debug)]
pub struct Bucketing<R> {
    size: usize,
    rule: R,
    order: RefCell<Stream>,
}

impl<R> Bucketing<R> {
    /// Creates the rule. `size` is `s`, from 1; `rule` aggregates the buckets; `seed` determines all permutations.
    pub fn new(size: usize, seed: u64, rule: R) -> Self {
        Self {
            size,
            rule,
            order: RefCell::new(Stream::new(seed)),
        }
    }
}

impl<R: Aggregator> Aggregator for Bucketing<R> {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        aggregate_finite(gradients, |gradients| {
            let n = gradients.len();
            let mut order = Vec::new();
            permutation_prefix(&mut self.order.borrow_mut(), n, n, &mut order);
            let shuffled: Vec<&[f32]> = order.iter().map(|i| gradients[*i as usize]).collect();
            let means = bucket_means(&shuffled, self.size);
            self.rule
                .aggregate(&means.iter().map(Vec::as_slice).collect::<Vec<_>>())
        })
    }
}

/// Returns the means of each `size` (from 1) consecutive gradients, `[ceil(n / size)][d]`; the last may have fewer.
pub fn bucket_means(gradients: &[&[f32]], size: usize) -> Vec<Vec<f32>> {
    gradients.chunks(size.max(1)).map(mean).collect()
}
