//! Zeno++: accepts gradients that promise progress on server data. **Needs server data.**

use crate::aggregators::math::distance::{dot, norm};
use crate::aggregators::math::finite::is_finite;
use crate::aggregators::math::sgd::descend;
use crate::aggregators::{AsyncAggregator, GradientUpdate};

/// Parameters of Zeno++.
#[derive(Clone, Copy, Debug)]
pub struct ZenoOptions {
    /// `eta`, above 0.
    pub step: f64,
    /// `rho`, from 0: penalty on the length of a gradient.
    pub rho: f64,
    /// `epsilon`, from 0: tolerated loss of progress.
    pub epsilon: f64,
    /// Updates between two gradients of the server, from 1.
    pub refresh: u64,
}

/// A rule that scores each gradient by the expected decrease of the loss on server data.
///
/// ```text
///   v        = the server's gradient, on its own data, at the x of at most `refresh` updates ago
///   g       <- g |v| / |g|
///   score    = eta v . g - rho |g|^2
///   accepted   score >= -eta epsilon:   x <- x - eta g
/// ```
///
/// Source: Xie, Koyejo, Gupta, "Zeno++: robust fully asynchronous SGD" (ICML 2020, arXiv 1903.07020), with the
/// first-order form of the score; the details are our reading. Tolerates any number of attackers while honest gradients
/// arrive too. It has data that most rules lack. Cost: `O(d)` per update, and a gradient of the server once per `refresh`
/// updates.
#[derive(Clone, Debug)]
pub struct ZenoPlusPlus<G> {
    options: ZenoOptions,
    server_gradient: G,
    /// `v`, `[d]`; empty before the first update.
    v: Vec<f32>,
    /// Updates since `v` was computed.
    age: u64,
}

impl<G: FnMut(&[f32]) -> Vec<f32>> ZenoPlusPlus<G> {
    /// Creates the rule without any gradient. `server_gradient` returns the gradient, `[d]`, at parameters, `[d]`, on
    /// server data.
    pub fn new(options: ZenoOptions, server_gradient: G) -> Self {
        Self {
            options,
            server_gradient,
            v: Vec::new(),
            age: 0,
        }
    }

    /// Returns the scale of an accepted gradient; `None` if it is rejected.
    fn accept(&self, gradient: &[f32]) -> Option<f64> {
        let length = norm(gradient);
        let own = norm(&self.v);
        let scale = if length > 0.0 { own / length } else { 0.0 };
        let ZenoOptions {
            step, rho, epsilon, ..
        } = self.options;
        let score = step * scale * dot(&self.v, gradient) - rho * (scale * length).powi(2);
        (score >= -step * epsilon).then_some(scale)
    }
}

impl<G: FnMut(&[f32]) -> Vec<f32>> AsyncAggregator for ZenoPlusPlus<G> {
    fn receive(&mut self, update: &GradientUpdate<'_>, x: &mut [f32]) {
        if !is_finite(update.gradient) {
            return;
        }
        if self.v.is_empty() || self.age >= self.options.refresh {
            self.v = (self.server_gradient)(x);
            self.age = 0;
        }
        self.age += 1;
        if let Some(scale) = self.accept(update.gradient) {
            descend(x, self.options.step * scale, update.gradient);
        }
    }
}
