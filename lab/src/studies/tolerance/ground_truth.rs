//! True sign errors: honest signs compared with the gradient over all training data.
//!
//! ```text
//!   m_k   mean of s_k sign(g_k) over the compared updates; 0 where g_k = 0, whose sign is neither right nor wrong
//!   p_k   (1 - m_k) / 2         sign error of coordinate k
//!
//!   mean        mean of p_k over all coordinates
//!   from_pairs  p with (1 - 2 p)^2 = mean of (1 - 2 p_k)^2, without the noise of m_k: (a m_k^2 - 1) / (a - 1), a updates
//!   weighted    mean of p_k, each update's coordinates weighted by |g_k|
//! ```

use farsign::sign::SignBits;
use serde::Serialize;

/// Sign errors of honest updates, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SignErrors {
    /// Mean over coordinates.
    pub mean: f64,
    /// Mean over coordinates that pairs of updates alone would give.
    pub from_pairs: f64,
    /// Mean over coordinates, weighted by the size of the derivative.
    pub weighted: f64,
    /// Compared updates.
    pub updates: u64,
}

/// Accumulates the sign errors of honest updates.
#[derive(Clone, Debug)]
pub struct ErrorAccumulator {
    updates: u64,
    /// Right signs minus wrong signs, coordinate by coordinate, `[d]`.
    right: Vec<f64>,
    /// The same over all coordinates, weighted, and the sum of weights.
    weighted: (f64, f64),
}

impl ErrorAccumulator {
    /// Creates an empty accumulator for `d` coordinates.
    pub fn new(d: usize) -> Self {
        Self {
            updates: 0,
            right: vec![0.0; d],
            weighted: (0.0, 0.0),
        }
    }

    /// Adds an update that arrives where the gradient is `gradient`, `[d]`.
    pub fn push(&mut self, signs: &SignBits, gradient: &[f32]) {
        self.updates += 1;
        for ((right, sign), &g) in self.right.iter_mut().zip(signs.iter()).zip(gradient) {
            let side = if g > 0.0 { 1.0 } else { -1.0 };
            *right += if g == 0.0 {
                0.0
            } else {
                f64::from(sign) * side
            };
            self.weighted.0 += f64::from(sign * g);
            self.weighted.1 += f64::from(g.abs());
        }
    }

    /// Returns the errors; `None` with fewer than two updates.
    pub fn errors(&self) -> Option<SignErrors> {
        let a = self.updates as f64;
        let d = self.right.len() as f64;
        (self.updates >= 2).then(|| {
            let mean = self.right.iter().sum::<f64>() / (a * d);
            let squares = self
                .right
                .iter()
                .map(|right| right / a)
                .map(|m| (a * m * m - 1.0) / (a - 1.0));
            let square = squares.sum::<f64>() / d;
            let from_pairs = if square > 0.0 { square.sqrt() } else { 0.0 };
            let weighted = if self.weighted.1 > 0.0 {
                self.weighted.0 / self.weighted.1
            } else {
                0.0
            };
            let error = |right: f64| (1.0 - right) / 2.0;
            SignErrors {
                mean: error(mean),
                from_pairs: error(from_pairs),
                weighted: error(weighted),
                updates: self.updates,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{RngStream, SimRng};

    /// Returns the errors of updates whose sign `k` is wrong with probability `p[k]`.
    fn errors(p: &[f64], gradient: &[f32]) -> SignErrors {
        let mut accumulator = ErrorAccumulator::new(p.len());
        let mut rng = SimRng::new(5, RngStream::Attacker, 0);
        for _ in 0..400 {
            let sign = |(p, g): (&f64, &f32)| if rng.bernoulli(*p) { -g } else { *g };
            let y: Vec<f32> = p.iter().zip(gradient).map(sign).collect();
            let mut signs = SignBits::default();
            signs.copy_from(&y, rng.next_u64());
            accumulator.push(&signs, gradient);
        }
        accumulator.errors().unwrap()
    }

    #[test]
    fn sign_errors_match_probabilities() {
        let near = |a: f64, b: f64, name: &str| {
            assert!((a - b).abs() < 0.02, "seed 5: {name} {a} for {b}");
        };
        let p: Vec<f64> = (0..200)
            .map(|k| if k % 2 == 0 { 0.05 } else { 0.45 })
            .collect();
        let gradient: Vec<f32> = (0..200)
            .map(|k| if k % 2 == 0 { 9.0 } else { -1.0 })
            .collect();
        let errors = errors(&p, &gradient);
        near(errors.mean, 0.25, "mean");
        near(
            errors.from_pairs,
            (1.0 - f64::midpoint(0.9 * 0.9, 0.1 * 0.1).sqrt()) / 2.0,
            "from pairs",
        );
        near(errors.weighted, 0.9 * 0.05 + 0.1 * 0.45, "weighted");
    }

    #[test]
    fn zero_derivative_counts_as_coin() {
        let errors = errors(&[0.0, 0.0], &[1.0, 0.0]);
        assert_eq!(
            (errors.mean, errors.weighted, errors.updates),
            (0.25, 0.0, 400)
        );
    }
}
