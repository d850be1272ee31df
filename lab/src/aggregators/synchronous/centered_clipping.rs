//! Centered clipping: each gradient pulls by at most a radius.

use std::cell::RefCell;

use crate::aggregators::Aggregator;
use crate::aggregators::math::distance::distance;
use crate::aggregators::math::finite::aggregate_finite;
use crate::aggregators::math::mean::add;

/// A rule that moves the last aggregate towards each gradient, by at most `tau / n`.
///
/// ```text
///   v <- v + sum_i (g_i - v) min(1, tau / |g_i - v|) / n,   L times;   R = v
/// ```
///
/// It starts at 0, and each round at the result of the last one: a rule with memory.
///
/// Source: Karimireddy, He, Jaggi, "Learning from history for Byzantine robust optimization" (ICML 2021, arXiv
/// 2012.10333); there with momentum at the workers. Cost: `O(L n d)`.
#[derive(Clone, Debug)]
pub struct CenteredClipping {
    /// `tau`: the radius, above 0, in the units of a gradient.
    radius: f64,
    /// `L`: iterations per round, from 1.
    iterations: usize,
    /// `v`, `[d]`; empty before the first round.
    center: RefCell<Vec<f32>>,
}

impl CenteredClipping {
    /// Creates the rule before its first round. `radius` is `tau`, above 0; `iterations` is `L`, from 1.
    pub fn new(radius: f64, iterations: usize) -> Self {
        Self {
            radius,
            iterations,
            center: RefCell::default(),
        }
    }

    fn clipped_mean(&self, gradients: &[&[f32]], center: &[f32]) -> Vec<f32> {
        let mut sum = vec![0.0; center.len()];
        let mut pull = 0.0;
        for gradient in gradients {
            let ratio = self.radius / distance(gradient, center);
            let clip = if ratio < 1.0 { ratio } else { 1.0 };
            add(&mut sum, clip, gradient);
            pull += clip;
        }
        let n = gradients.len() as f64;
        let moved =
            |(sum, center): (&f64, &f32)| (f64::from(*center) * (1.0 - pull / n) + sum / n) as f32;
        sum.iter().zip(center).map(moved).collect()
    }
}

impl Aggregator for CenteredClipping {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        aggregate_finite(gradients, |gradients| {
            let mut center = self.center.borrow_mut();
            center.resize(gradients[0].len(), 0.0);
            for _ in 0..self.iterations {
                *center = self.clipped_mean(gradients, &center);
            }
            center.clone()
        })
    }
}
