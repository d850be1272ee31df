//! The mean, without any defence.

use crate::aggregators::Aggregator;
use crate::aggregators::math::finite::aggregate_finite;
use crate::aggregators::math::mean::mean;

/// `R = sum_i g_i / n`. One attacker can move it anywhere.
///
/// Source: synchronous SGD. Cost: `O(nd)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean;

impl Aggregator for Mean {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        aggregate_finite(gradients, mean)
    }
}
