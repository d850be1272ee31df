//! AFLGuard: accepts gradients close to the server's own. **Needs server data.**

use crate::aggregators::math::distance::{distance, norm};
use crate::aggregators::math::finite::is_finite;
use crate::aggregators::math::sgd::descend;
use crate::aggregators::{AsyncAggregator, GradientUpdate};

/// A rule that accepts a gradient if it deviates little from the server's, in direction and size.
///
/// ```text
///   v        = the server's gradient, on its own data, at x
///   accepted   |g - v| <= lambda |v|:   x <- x - eta g
/// ```
///
/// Source: Fang, Liu, Gong, Bentley, "AFLGuard: Byzantine-robust asynchronous federated learning" (ACSAC 2022, arXiv
/// 2212.06325), with one local step. Tolerates any number of attackers while honest gradients arrive too. It has
/// data that most rules lack. Cost: `O(d)` and a gradient of the server per update.
#[derive(Clone, Debug)]
pub struct AflGuard<G> {
    step: f64,
    tolerance: f64,
    server_gradient: G,
}

impl<G: FnMut(&[f32]) -> Vec<f32>> AflGuard<G> {
    /// Creates the rule. `step` is `eta`, `tolerance` is `lambda`, both above 0. `server_gradient` returns the gradient,
    /// `[d]`, at parameters, `[d]`, on server data.
    pub fn new(step: f64, tolerance: f64, server_gradient: G) -> Self {
        Self {
            step,
            tolerance,
            server_gradient,
        }
    }
}

impl<G: FnMut(&[f32]) -> Vec<f32>> AsyncAggregator for AflGuard<G> {
    fn receive(&mut self, update: &GradientUpdate<'_>, x: &mut [f32]) {
        if !is_finite(update.gradient) {
            return;
        }
        let v = (self.server_gradient)(x);
        if distance(update.gradient, &v) <= self.tolerance * norm(&v) {
            descend(x, self.step, update.gradient);
        }
    }
}
