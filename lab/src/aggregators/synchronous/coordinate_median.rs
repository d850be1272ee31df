//! The median of each coordinate.

use crate::aggregators::Aggregator;
use crate::aggregators::math::coordinate_wise::{coordinate_wise, median};
use crate::aggregators::math::finite::aggregate_finite;

/// `R_k = median(g_1k, ..., g_nk)`; for an even `n` the mean of the middle two.
///
/// Source: Yin, Chen, Ramchandran, Bartlett, "Byzantine-robust distributed learning: towards optimal statistical
/// rates" (arXiv 1803.01498), definition 1. Tolerates `f < n / 2`. Cost: `O(nd)` expected.
#[derive(Clone, Copy, Debug, Default)]
pub struct CoordinateMedian;

impl Aggregator for CoordinateMedian {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        aggregate_finite(gradients, |gradients| coordinate_wise(gradients, median))
    }
}
