//! Asynchronous SGD: every gradient is a step.

use super::{StalenessFunction, descend};
use crate::baseline::finite::is_finite;
use crate::method::{Arrival, AsyncRule};

/// `x <- x - eta s(tau) g`. No defence at all.
///
/// Source: Recht, Re, Wright, Niu, "Hogwild!" (NeurIPS 2011, arXiv 1106.5730), behind a server; with an `s` other than
/// constant, staleness-aware SGD (arXiv 1511.05950). Sees nothing but the gradient. Cost: `O(d)` an arrival.
#[derive(Clone, Copy, Debug)]
pub struct Asgd {
    /// `eta`, above 0.
    pub step: f64,
    /// `s`.
    pub staleness: StalenessFunction,
}

impl AsyncRule for Asgd {
    fn receive(&mut self, arrival: &Arrival<'_>, x: &mut [f32]) {
        if is_finite(arrival.gradient) {
            descend(x, self.step * self.staleness.factor(arrival.staleness), arrival.gradient);
        }
    }
}
