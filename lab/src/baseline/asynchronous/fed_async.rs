//! FedAsync: the model is mixed with each worker's own.

use super::StalenessFunction;
use crate::baseline::finite::is_finite;
use crate::method::{Arrival, AsyncRule};

/// Mixes the model with what the worker's would be after its step.
///
/// ```text
///   x_worker = x_sent - eta g,   x <- x + a s(tau) (x_worker - x)
/// ```
///
/// Source: Xie, Koyejo, Gupta, "Asynchronous federated optimization" (arXiv 1903.03934), with one local step and
/// without its regularization towards `x_sent`, which one step does not see. No defence. Cost: `O(d)` an arrival.
#[derive(Clone, Copy, Debug)]
pub struct FedAsync {
    /// `eta` of the worker, above 0.
    pub step: f64,
    /// `a`, in `(0, 1)`.
    pub mixing: f64,
    /// `s`.
    pub staleness: StalenessFunction,
}

impl AsyncRule for FedAsync {
    fn receive(&mut self, arrival: &Arrival<'_>, x: &mut [f32]) {
        if !is_finite(arrival.gradient) {
            return;
        }
        let mixing = self.mixing * self.staleness.factor(arrival.staleness);
        for ((x, sent), gradient) in x.iter_mut().zip(arrival.x_sent).zip(arrival.gradient) {
            let worker = f64::from(*sent) - self.step * f64::from(*gradient);
            *x = (f64::from(*x) + mixing * (worker - f64::from(*x))) as f32;
        }
    }
}
