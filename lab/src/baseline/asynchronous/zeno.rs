//! Zeno++: a gradient has to promise progress on data of the server. **Needs server data.**

use super::descend;
use crate::baseline::distance::{dot, norm};
use crate::baseline::finite::is_finite;
use crate::method::{Arrival, AsyncRule};

/// What Zeno++ is started with.
#[derive(Clone, Copy, Debug)]
pub struct ZenoOptions {
    /// `eta`, above 0.
    pub step: f64,
    /// `rho`, from 0: how much a long gradient has to promise.
    pub rho: f64,
    /// `epsilon`, from 0: how much worse than no progress is let through.
    pub epsilon: f64,
    /// Gradients taken in between two of the server's own, from 1.
    pub refresh: u64,
}

/// Scores each gradient by what the loss on the server's data would fall by.
///
/// ```text
///   v        = the server's gradient, on its own data, at the x of at most `refresh` arrivals ago
///   g       <- g |v| / |g|
///   score    = eta v . g - rho |g|^2
///   accepted   score >= -eta epsilon:   x <- x - eta g
/// ```
///
/// Source: Xie, Koyejo, Gupta, "Zeno++: robust fully asynchronous SGD" (ICML 2020, arXiv 1903.07020), with the
/// first-order form of the score; the details are our reading. Stands any number of liars as long as honest gradients
/// come too. It sees data of the server, which rules without have not. Cost: `O(d)` an arrival, and a gradient of the
/// server's once in `refresh` arrivals.
#[derive(Clone, Debug)]
pub struct ZenoPlusPlus<G> {
    options: ZenoOptions,
    server_gradient: G,
    /// `v`, `[d]`; empty before the first arrival.
    v: Vec<f32>,
    /// Arrivals since `v` was computed.
    age: u64,
}

impl<G: FnMut(&[f32]) -> Vec<f32>> ZenoPlusPlus<G> {
    /// The rule before its first gradient. `server_gradient` gives the gradient, `[d]`, at parameters, `[d]`, on data of
    /// the server.
    pub fn new(options: ZenoOptions, server_gradient: G) -> Self {
        Self { options, server_gradient, v: Vec::new(), age: 0 }
    }

    /// The factor to which a gradient is accepted: its rescaling, or none.
    fn accept(&self, gradient: &[f32]) -> Option<f64> {
        let (length, own) = (norm(gradient), norm(&self.v));
        let scale = if length > 0.0 { own / length } else { 0.0 };
        let ZenoOptions { step, rho, epsilon, .. } = self.options;
        let score = step * scale * dot(&self.v, gradient) - rho * (scale * length).powi(2);
        (score >= -step * epsilon).then_some(scale)
    }
}

impl<G: FnMut(&[f32]) -> Vec<f32>> AsyncRule for ZenoPlusPlus<G> {
    fn receive(&mut self, arrival: &Arrival<'_>, x: &mut [f32]) {
        if !is_finite(arrival.gradient) {
            return;
        }
        if self.v.is_empty() || self.age >= self.options.refresh {
            (self.v, self.age) = ((self.server_gradient)(x), 0);
        }
        self.age += 1;
        if let Some(scale) = self.accept(arrival.gradient) {
            descend(x, self.options.step * scale, arrival.gradient);
        }
    }
}
