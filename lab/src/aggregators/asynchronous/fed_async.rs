//! FedAsync: mixes the model with each worker's own.

use crate::aggregators::math::finite::is_finite;
use crate::aggregators::math::staleness::StalenessFunction;
use crate::aggregators::{AsyncAggregator, GradientUpdate};

/// A rule that mixes the model with the worker's after its step.
///
/// ```text
///   x_worker = x_sent - eta g,   x <- x + a s(tau) (x_worker - x)
/// ```
///
/// Source: Xie, Koyejo, Gupta, "Asynchronous federated optimization" (arXiv 1903.03934), with one local step and
/// without its regularization towards `x_sent`, which has no effect on one step. No defence. Cost: `O(d)` per update.
#[derive(Clone, Copy, Debug)]
pub struct FedAsync {
    /// `eta` of the worker, above 0.
    pub step: f64,
    /// `a`, in `(0, 1)`.
    pub mixing: f64,
    /// `s`.
    pub staleness: StalenessFunction,
}

impl AsyncAggregator for FedAsync {
    fn receive(&mut self, update: &GradientUpdate<'_>, x: &mut [f32]) {
        if !is_finite(update.gradient) {
            return;
        }
        let mixing = self.mixing * self.staleness.factor(update.staleness);
        for ((x, sent), gradient) in x.iter_mut().zip(update.x_sent).zip(update.gradient) {
            let worker = f64::from(*sent) - self.step * f64::from(*gradient);
            *x = (f64::from(*x) + mixing * (worker - f64::from(*x))) as f32;
        }
    }
}
