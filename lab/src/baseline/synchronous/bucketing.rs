//! Bucketing: gradients are shuffled and averaged in small groups.

use std::cell::RefCell;

use farsign::random::{Stream, permutation_prefix};

use crate::baseline::average::mean;
use crate::baseline::finite::join_finite;
use crate::method::Aggregation;

/// Hands the means of random buckets to the rule it wraps.
///
/// ```text
///   pi = a random permutation, another each round,   g'_b = mean of g_pi(bs + 1), ..., g_pi(bs + s),
///   R = rule(g'_1, ..., g'_ceil(n / s));   the last bucket may be smaller
/// ```
///
/// The `f` of the rule has to suit `ceil(n / s)` gradients, of which up to `f` are hostile still.
///
/// Source: Karimireddy, He, Jaggi, "Byzantine-robust learning on heterogeneous datasets via bucketing" (ICLR 2022,
/// arXiv 2006.09365). Cost: `O(nd)`, and the rule's.
#[derive(Clone, Debug)]
pub struct Bucketing<R> {
    size: usize,
    rule: R,
    order: RefCell<Stream>,
}

impl<R> Bucketing<R> {
    /// Buckets of `size` gradients, `s`, from 1, joined by `rule`. `seed` determines all permutations.
    pub fn new(size: usize, seed: u64, rule: R) -> Self {
        Self { size, rule, order: RefCell::new(Stream::new(seed)) }
    }
}

impl<R: Aggregation> Aggregation for Bucketing<R> {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        join_finite(gradients, |gradients| {
            let (n, mut order) = (gradients.len(), Vec::new());
            permutation_prefix(&mut self.order.borrow_mut(), n, n, &mut order);
            let shuffled: Vec<&[f32]> = order.iter().map(|i| gradients[*i as usize]).collect();
            let means = bucket_means(&shuffled, self.size);
            self.rule.aggregate(&means.iter().map(Vec::as_slice).collect::<Vec<_>>())
        })
    }
}

/// The means of each `size` (from 1) gradients in a row, `[ceil(n / size)][d]`; the last may be of fewer.
pub fn bucket_means(gradients: &[&[f32]], size: usize) -> Vec<Vec<f32>> {
    gradients.chunks(size.max(1)).map(mean).collect()
}
