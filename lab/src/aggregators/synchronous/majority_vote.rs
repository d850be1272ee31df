//! signSGD with majority vote: the synchronous counterpart of FAR-SIGN.

use crate::aggregators::Aggregator;
use crate::aggregators::math::coordinate_wise::coordinate_wise;
use crate::aggregators::math::finite::aggregate_finite;

/// `R_k = sign(sum_i sign(g_ik))`, in {-1, 0, +1}: a zero abstains, and a tie gives 0.
///
/// Workers could send signs only. The step of each coordinate does not depend on the size of the gradient.
///
/// Source: Bernstein, Zhao, Azizzadenesheli, Anandkumar, "signSGD with majority vote is communication efficient and
/// fault tolerant" (ICLR 2019, arXiv 1810.05291). Cost: `O(nd)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MajorityVote;

impl Aggregator for MajorityVote {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        aggregate_finite(gradients, |gradients| {
            coordinate_wise(gradients, |values| {
                sign(values.iter().map(|value| sign(f64::from(*value))).sum())
            })
        })
    }
}

fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        0.0
    }
}
