//! The geometric median, by the smoothed Weiszfeld algorithm (RFA).

use crate::aggregators::Aggregator;
use crate::aggregators::math::distance::distance;
use crate::aggregators::math::finite::aggregate_finite;
use crate::aggregators::math::mean::weighted_mean;

/// Minimum of `nu`, so a gradient at distance 0 has a finite weight.
const MIN_SMOOTHING: f64 = 1e-12;

/// An approximation of the point with the smallest sum of distances to all gradients.
///
/// ```text
///   z_0 = 0,   z_t+1 = sum_i b_i g_i / sum_i b_i,   b_i = 1 / max(nu, |g_i - z_t|),   R = z_T
/// ```
///
/// Source: Pillutla, Kakade, Harchaoui, "Robust aggregation for federated learning" (arXiv 1912.13445), the smoothed
/// Weiszfeld algorithm; it starts at 0 as in byzfl. Tolerates `f < n / 2` in the limit of many iterations. Cost: `O(T n d)`.
#[derive(Clone, Copy, Debug)]
pub struct GeometricMedian {
    /// `nu`: smallest distance, above 0, in the units of a gradient.
    pub smoothing: f64,
    /// `T`: iterations, from 1.
    pub iterations: usize,
}

impl Aggregator for GeometricMedian {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        aggregate_finite(gradients, |gradients| {
            smoothed_weiszfeld(
                gradients,
                &vec![1.0; gradients.len()],
                self.smoothing,
                self.iterations,
            )
        })
    }
}

/// Returns the geometric median with weights, `[n]`, each above 0: `b_i = w_i / max(nu, |g_i - z_t|)`. Needs a gradient.
pub fn smoothed_weiszfeld(
    gradients: &[&[f32]],
    weights: &[f64],
    smoothing: f64,
    iterations: usize,
) -> Vec<f32> {
    let smoothing = smoothing.max(MIN_SMOOTHING);
    let mut z = vec![0.0; gradients[0].len()];
    for _ in 0..iterations {
        let pull =
            |(gradient, weight): (&&[f32], &f64)| weight / distance(gradient, &z).max(smoothing);
        let pulls: Vec<f64> = gradients.iter().zip(weights).map(pull).collect();
        z = weighted_mean(gradients, &pulls);
    }
    z
}
