//! The test problem: logistic regression with a nonconvex regularizer, smooth and bounded from below (Antoniadis, Gijbels
//! and Nikolova 2011, section 2; a standard problem of nonconvex optimization, e.g. Wang et al. 2019, arXiv 1810.10690,
//! section 6).
//!
//! ```text
//!   F(x; i) = log(1 + exp(-b_i c_i . x)) + lambda sum_k x_k^2 / (1 + x_k^2)        f(x) = mean of F(x; i) over all i
//! ```
//!
//! Features `c_i` are normal; later coordinates are smaller. Labels `b_i` are +1 or -1 by a logistic model with normal
//! weights, so no `x` classifies all points and the noise of minibatches does not vanish.

use crate::rng::{RngStream, SimRng};

/// Number of points.
pub const POINTS: usize = 500;

/// Weight of the regularizer.
const LAMBDA: f64 = 0.1;

/// Deviation of the first coordinate of the features over that of the last.
const SPREAD: f64 = 3.0;

/// The points of the problem. A minibatch is a list of indices.
#[derive(Clone, Debug)]
pub struct Problem {
    d: usize,
    /// `b_i c_i`, `[POINTS][d]`.
    points: Vec<f32>,
}

impl Problem {
    /// Draws a problem with `d` parameters.
    pub fn new(d: usize, seed: u64) -> Self {
        let mut rng = SimRng::new(seed, RngStream::Shards, 0);
        let weights: Vec<f64> = (0..d).map(|_| rng.normal()).collect();
        let deviation = |k: usize| libm::pow(SPREAD, -(k as f64) / d as f64);
        let mut points = Vec::with_capacity(POINTS * d);
        for _ in 0..POINTS {
            let features: Vec<f64> = (0..d).map(|k| deviation(k) * rng.normal()).collect();
            let score: f64 = features.iter().zip(&weights).map(|(c, w)| c * w).sum();
            let label = if rng.bernoulli(sigmoid(score / (d as f64).sqrt())) {
                1.0
            } else {
                -1.0
            };
            points.extend(features.iter().map(|c| (label * c) as f32));
        }
        Self { d, points }
    }

    /// Returns the number of parameters, `d`.
    pub fn parameters(&self) -> usize {
        self.d
    }

    /// Returns the mean of `F` over a minibatch at `x`, `[d]`.
    pub fn loss(&self, x: &[f32], batch: &[usize]) -> f32 {
        let sum: f64 = batch
            .iter()
            .map(|&i| libm::log1p(libm::exp(-self.margin(x, i))))
            .sum();
        let regularizer: f64 = x
            .iter()
            .map(|&x| f64::from(x) * f64::from(x))
            .map(|s| s / (1.0 + s))
            .sum();
        (sum / batch.len() as f64 + LAMBDA * regularizer) as f32
    }

    /// Computes the gradient of the mean of `F` over a minibatch at `x` into `gradient`, `[d]` both.
    pub fn gradient(&self, x: &[f32], batch: &[usize], gradient: &mut [f32]) {
        for (g, &x) in gradient.iter_mut().zip(x) {
            let below = 1.0 + x * x;
            *g = LAMBDA as f32 * 2.0 * x / (below * below);
        }
        for &i in batch {
            let slope = (-sigmoid(-self.margin(x, i)) / batch.len() as f64) as f32;
            gradient
                .iter_mut()
                .zip(self.point(i))
                .for_each(|(g, c)| *g += slope * c);
        }
    }

    fn point(&self, i: usize) -> &[f32] {
        &self.points[i * self.d..][..self.d]
    }

    /// Returns `b_i c_i . x`.
    fn margin(&self, x: &[f32], i: usize) -> f64 {
        self.point(i)
            .iter()
            .zip(x)
            .map(|(c, x)| f64::from(c * x))
            .sum()
    }
}

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-score))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradient_matches_finite_difference() {
        let d = 20;
        let problem = Problem::new(d, 3);
        let mut rng = SimRng::new(4, RngStream::Parameters, 0);
        let x: Vec<f32> = (0..d).map(|_| rng.normal() as f32).collect();
        let batch = vec![5, 17, 17, 400];
        let mut gradient = vec![0.0; d];
        problem.gradient(&x, &batch, &mut gradient);
        for k in 0..d {
            let loss_at = |by: f32| {
                let mut x = x.clone();
                x[k] += by;
                problem.loss(&x, &batch)
            };
            let slope = (loss_at(1e-2) - loss_at(-1e-2)) / 2e-2;
            assert!(
                (slope - gradient[k]).abs() < 1e-3,
                "coordinate {k}: {slope} for {}",
                gradient[k]
            );
        }
    }

    #[test]
    fn problem_is_nonconvex() {
        let problem = Problem::new(20, 3);
        let all: Vec<usize> = (0..POINTS).collect();
        let loss_at = |by: f32| problem.loss(&[by; 20], &all);
        let bends: Vec<f32> = (1..80)
            .map(|n| n as f32 * 0.1)
            .map(|x| loss_at(x + 0.1) - 2.0 * loss_at(x) + loss_at(x - 0.1))
            .collect();
        assert!(bends.iter().any(|bend| *bend < -1e-5), "{bends:?}");
    }
}
