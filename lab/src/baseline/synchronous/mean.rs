//! The mean: no defence at all.

use crate::baseline::average::mean;
use crate::baseline::finite::join_finite;
use crate::method::Aggregation;

/// `R = sum_i g_i / n`. One liar moves it anywhere.
///
/// Source: synchronous SGD. Cost: `O(nd)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean;

impl Aggregation for Mean {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        join_finite(gradients, mean)
    }
}
