//! The problem that the rate is measured on: logistic regression with a nonconvex regularizer, smooth and bounded from
//! below (Antoniadis, Gijbels and Nikolova 2011, section 2; a standard problem of nonconvex optimization, e.g. Wang et al.
//! 2019, arXiv 1810.10690, section 6).
//!
//! ```text
//!   F(x; i) = log(1 + exp(-b_i c_i . x)) + lambda sum_k x_k^2 / (1 + x_k^2)        f(x) = mean of F(x; i) over all i
//! ```
//!
//! Features `c_i` are normal, those of a later coordinate smaller; labels `b_i` are +1 or -1, by a logistic model whose
//! weights are normal, so that no `x` is right about all of them and the noise of a minibatch does not vanish.

use crate::chance::{Chance, Part};

/// Number of points; a minibatch is a list of some of them.
pub const POINTS: usize = 500;

/// Weight of the regularizer.
const LAMBDA: f64 = 0.1;

/// Deviation of the first coordinate of the features over that of the last.
const SPREAD: f64 = 3.0;

/// The points.
#[derive(Clone, Debug)]
pub struct Problem {
    d: usize,
    /// `b_i c_i`, `[POINTS][d]`.
    points: Vec<f32>,
}

impl Problem {
    /// With `d` parameters.
    pub fn new(d: usize, seed: u64) -> Self {
        let mut chance = Chance::new(seed, Part::Shards, 0);
        let weights: Vec<f64> = (0..d).map(|_| chance.normal()).collect();
        let deviation = |k: usize| libm::pow(SPREAD, -(k as f64) / d as f64);
        let mut points = Vec::with_capacity(POINTS * d);
        for _ in 0..POINTS {
            let features: Vec<f64> = (0..d).map(|k| deviation(k) * chance.normal()).collect();
            let score: f64 = features.iter().zip(&weights).map(|(c, w)| c * w).sum();
            let label = if chance.happens(sigmoid(score / (d as f64).sqrt())) { 1.0 } else { -1.0 };
            points.extend(features.iter().map(|c| (label * c) as f32));
        }
        Self { d, points }
    }

    /// Number of parameters, `d`.
    pub fn parameters(&self) -> usize {
        self.d
    }

    /// Mean of `F` over a minibatch at `x`, `[d]`.
    pub fn loss(&self, x: &[f32], batch: &[usize]) -> f32 {
        let sum: f64 = batch.iter().map(|&i| libm::log1p(libm::exp(-self.margin(x, i)))).sum();
        let regularizer: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).map(|s| s / (1.0 + s)).sum();
        (sum / batch.len() as f64 + LAMBDA * regularizer) as f32
    }

    /// Gradient of the mean of `F` over a minibatch at `x`, into `gradient`, `[d]` both.
    pub fn gradient(&self, x: &[f32], batch: &[usize], gradient: &mut [f32]) {
        for (g, &x) in gradient.iter_mut().zip(x) {
            let below = 1.0 + x * x;
            *g = LAMBDA as f32 * 2.0 * x / (below * below);
        }
        for &i in batch {
            let slope = (-sigmoid(-self.margin(x, i)) / batch.len() as f64) as f32;
            gradient.iter_mut().zip(self.point(i)).for_each(|(g, c)| *g += slope * c);
        }
    }

    fn point(&self, i: usize) -> &[f32] {
        &self.points[i * self.d..][..self.d]
    }

    /// `b_i c_i . x`.
    fn margin(&self, x: &[f32], i: usize) -> f64 {
        self.point(i).iter().zip(x).map(|(c, x)| f64::from(c * x)).sum()
    }
}

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-score))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let (problem, d) = (Problem::new(20, 3), 20);
        let mut chance = Chance::new(4, Part::Parameters, 0);
        let x: Vec<f32> = (0..d).map(|_| chance.normal() as f32).collect();
        let (batch, mut gradient) = (vec![5, 17, 17, 400], vec![0.0; d]);
        problem.gradient(&x, &batch, &mut gradient);
        for k in 0..d {
            let loss_at = |by: f32| {
                let mut x = x.clone();
                x[k] += by;
                problem.loss(&x, &batch)
            };
            let slope = (loss_at(1e-2) - loss_at(-1e-2)) / 2e-2;
            assert!((slope - gradient[k]).abs() < 1e-3, "coordinate {k}: {slope} for {}", gradient[k]);
        }
    }

    #[test]
    fn it_is_not_convex() {
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
