//! The median of each coordinate.

use crate::baseline::coordinate::{by_coordinate, median};
use crate::baseline::finite::join_finite;
use crate::method::Aggregation;

/// `R_k = median(g_1k, ..., g_nk)`; with an even `n` the mean of the two in the middle.
///
/// Source: Yin, Chen, Ramchandran, Bartlett, "Byzantine-robust distributed learning: towards optimal statistical
/// rates" (arXiv 1803.01498), definition 1. Stands `f < n / 2`. Cost: `O(nd)` expected.
#[derive(Clone, Copy, Debug, Default)]
pub struct CoordinateMedian;

impl Aggregation for CoordinateMedian {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        join_finite(gradients, |gradients| by_coordinate(gradients, median))
    }
}
