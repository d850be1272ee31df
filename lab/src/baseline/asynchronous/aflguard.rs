//! AFLGuard: a gradient has to be near the server's own. **Needs server data.**

use super::descend;
use crate::baseline::distance::{distance, norm};
use crate::baseline::finite::is_finite;
use crate::method::{Arrival, AsyncRule};

/// Accepts a gradient that deviates little from the server's, in direction and size.
///
/// ```text
///   v        = the server's gradient, on its own data, at x
///   accepted   |g - v| <= lambda |v|:   x <- x - eta g
/// ```
///
/// Source: Fang, Liu, Gong, Bentley, "AFLGuard: Byzantine-robust asynchronous federated learning" (ACSAC 2022, arXiv
/// 2212.06325), with one local step. Stands any number of liars as long as honest gradients come too. It sees data of
/// the server, which rules without have not. Cost: `O(d)` and a gradient of the server's an arrival.
#[derive(Clone, Debug)]
pub struct AflGuard<G> {
    step: f64,
    tolerance: f64,
    server_gradient: G,
}

impl<G: FnMut(&[f32]) -> Vec<f32>> AflGuard<G> {
    /// The rule with a `step` of `eta` and a `tolerance` of `lambda`, both above 0. `server_gradient` gives the gradient,
    /// `[d]`, at parameters, `[d]`, on data of the server.
    pub fn new(step: f64, tolerance: f64, server_gradient: G) -> Self {
        Self { step, tolerance, server_gradient }
    }
}

impl<G: FnMut(&[f32]) -> Vec<f32>> AsyncRule for AflGuard<G> {
    fn receive(&mut self, arrival: &Arrival<'_>, x: &mut [f32]) {
        if !is_finite(arrival.gradient) {
            return;
        }
        let v = (self.server_gradient)(x);
        if distance(arrival.gradient, &v) <= self.tolerance * norm(&v) {
            descend(x, self.step, arrival.gradient);
        }
    }
}
