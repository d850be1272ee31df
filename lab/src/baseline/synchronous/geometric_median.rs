//! The geometric median, by the smoothed Weiszfeld algorithm (RFA).

use crate::baseline::average::weighted_mean;
use crate::baseline::distance::distance;
use crate::baseline::finite::join_finite;
use crate::method::Aggregation;

/// Distances are taken to be no smaller, so that a gradient that was hit exactly has a finite weight.
const LEAST_SMOOTHING: f64 = 1e-12;

/// Nearly the point with the smallest sum of distances to all gradients.
///
/// ```text
///   z_0 = 0,   z_t+1 = sum_i b_i g_i / sum_i b_i,   b_i = 1 / max(nu, |g_i - z_t|),   R = z_T
/// ```
///
/// Source: Pillutla, Kakade, Harchaoui, "Robust aggregation for federated learning" (arXiv 1912.13445), the smoothed Weiszfeld algorithm;
/// it begins at 0 as byzfl does. Stands `f < n / 2` in the limit of many iterations. Cost: `O(T n d)`.
#[derive(Clone, Copy, Debug)]
pub struct GeometricMedian {
    /// `nu`: smallest distance reckoned with, above 0, in the units of a gradient.
    pub smoothing: f64,
    /// `T`: iterations, from 1.
    pub iterations: usize,
}

impl Aggregation for GeometricMedian {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        join_finite(gradients, |gradients| {
            smoothed_weiszfeld(gradients, &vec![1.0; gradients.len()], self.smoothing, self.iterations)
        })
    }
}

/// The same with weights, `[n]`, each above 0: `b_i = w_i / max(nu, |g_i - z_t|)`. Needs a gradient.
pub fn smoothed_weiszfeld(
    gradients: &[&[f32]],
    weights: &[f64],
    smoothing: f64,
    iterations: usize,
) -> Vec<f32> {
    let smoothing = smoothing.max(LEAST_SMOOTHING);
    let mut z = vec![0.0; gradients[0].len()];
    for _ in 0..iterations {
        let pull = |(gradient, weight): (&&[f32], &f64)| weight / distance(gradient, &z).max(smoothing);
        let pulls: Vec<f64> = gradients.iter().zip(weights).map(pull).collect();
        z = weighted_mean(gradients, &pulls);
    }
    z
}
