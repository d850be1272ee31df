//! signSGD with majority vote: the synchronous relative of FAR-SIGN.

use crate::baseline::coordinate::by_coordinate;
use crate::baseline::finite::join_finite;
use crate::method::Aggregation;

/// `R_k = sign(sum_i sign(g_ik))`, in {-1, 0, +1}: a zero abstains, and a tie moves nothing.
///
/// Workers need to send no more than their signs. The step is that of each coordinate, whatever the size of the
/// gradient.
///
/// Source: Bernstein, Zhao, Azizzadenesheli, Anandkumar, "signSGD with majority vote is communication efficient and
/// fault tolerant" (ICLR 2019, arXiv 1810.05291). Cost: `O(nd)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MajorityVote;

impl Aggregation for MajorityVote {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        join_finite(gradients, |gradients| {
            by_coordinate(gradients, |values| sign(values.iter().map(|value| sign(f64::from(*value))).sum()))
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
