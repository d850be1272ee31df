//! The mean of each coordinate without its extremes.

use crate::aggregators::Aggregator;
use crate::aggregators::math::coordinate_wise::coordinate_wise;
use crate::aggregators::math::finite::aggregate_finite;

/// `R_k = ` mean of `g_1k, ..., g_nk` without the `trimmed` largest and the `trimmed` smallest.
///
/// Source: Yin, Chen, Ramchandran, Bartlett (arXiv 1803.01498), definition 2, with `trimmed = beta n`. Tolerates
/// `f <= trimmed < n / 2`. Cost: `O(nd)` expected.
#[derive(Clone, Copy, Debug)]
pub struct TrimmedMean {
    /// Entries dropped at either end, from 0; fewer in a small round, so one or two entries remain.
    pub trimmed: usize,
}

impl Aggregator for TrimmedMean {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        aggregate_finite(gradients, |gradients| {
            coordinate_wise(gradients, |values| trimmed_mean(values, self.trimmed))
        })
    }
}

fn trimmed_mean(values: &mut [f32], trimmed: usize) -> f64 {
    let n = values.len();
    let trimmed = trimmed.min((n - 1) / 2);
    let kept = n - 2 * trimmed;
    if trimmed > 0 {
        values.select_nth_unstable_by(trimmed, f32::total_cmp);
        values[trimmed..].select_nth_unstable_by(kept - 1, f32::total_cmp);
    }
    let sum: f64 = values[trimmed..trimmed + kept]
        .iter()
        .map(|value| f64::from(*value))
        .sum();
    sum / kept as f64
}
