//! Asynchronous SGD: every gradient is a step.

use crate::aggregators::math::finite::is_finite;
use crate::aggregators::math::sgd::descend;
use crate::aggregators::math::staleness::StalenessFunction;
use crate::aggregators::{AsyncAggregator, GradientUpdate};

/// `x <- x - eta s(tau) g`. No defence.
///
/// Source: Recht, Re, Wright, Niu, "Hogwild!" (NeurIPS 2011, arXiv 1106.5730), behind a server; with an `s` other than
/// constant, staleness-aware SGD (arXiv 1511.05950). Uses only the gradient and its staleness. Cost:
/// `O(d)` per update.
#[derive(Clone, Copy, Debug)]
pub struct Asgd {
    /// `eta`, above 0.
    pub step: f64,
    /// `s`.
    pub staleness: StalenessFunction,
}

impl AsyncAggregator for Asgd {
    fn receive(&mut self, update: &GradientUpdate<'_>, x: &mut [f32]) {
        if is_finite(update.gradient) {
            descend(
                x,
                self.step * self.staleness.factor(update.staleness),
                update.gradient,
            );
        }
    }
}
