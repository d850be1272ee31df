//! True sign errors: honest signs beside the gradient over all training data.
//!
//! ```text
//!   m_k   mean of s_k sign(g_k) over the answers looked at; 0 where g_k = 0, whose sign is neither right nor wrong
//!   p_k   (1 - m_k) / 2         sign error of coordinate k
//!
//!   mean        mean of p_k over all coordinates
//!   averaged    p with (1 - 2 p)^2 = mean of (1 - 2 p_k)^2, the noise of m_k taken off: (a m_k^2 - 1) / (a - 1), a answers
//!   weighted    mean of p_k, each answer's coordinates weighted by |g_k|
//! ```

use serde::Serialize;

use farsign::sign::SignBits;

/// Sign errors of honest answers, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Errors {
    /// Mean over coordinates.
    pub mean: f64,
    /// Mean over coordinates as pairs of answers alone would tell it.
    pub averaged: f64,
    /// Mean over coordinates, weighted by the size of the derivative.
    pub weighted: f64,
    /// Answers looked at.
    pub answers: u64,
}

/// Honest answers of late.
#[derive(Clone, Debug)]
pub struct Tally {
    answers: u64,
    /// Right answers less wrong ones, coordinate by coordinate, `[d]`.
    right: Vec<f64>,
    /// The same over all coordinates, weighted, and the weights.
    weighted: (f64, f64),
}

impl Tally {
    /// Of nothing, for `d` coordinates.
    pub fn new(d: usize) -> Self {
        Self { answers: 0, right: vec![0.0; d], weighted: (0.0, 0.0) }
    }

    /// Takes in an answer that arrives where the gradient is `gradient`, `[d]`.
    pub fn take(&mut self, signs: &SignBits, gradient: &[f32]) {
        self.answers += 1;
        for ((right, sign), &g) in self.right.iter_mut().zip(signs.iter()).zip(gradient) {
            let side = if g > 0.0 { 1.0 } else { -1.0 };
            *right += if g == 0.0 { 0.0 } else { f64::from(sign) * side };
            self.weighted.0 += f64::from(sign * g);
            self.weighted.1 += f64::from(g.abs());
        }
    }

    /// What was found; none without two answers.
    pub fn errors(&self) -> Option<Errors> {
        let (a, d) = (self.answers as f64, self.right.len() as f64);
        (self.answers >= 2).then(|| {
            let mean = self.right.iter().sum::<f64>() / (a * d);
            let squares = self.right.iter().map(|right| right / a).map(|m| (a * m * m - 1.0) / (a - 1.0));
            let square = squares.sum::<f64>() / d;
            let averaged = if square > 0.0 { square.sqrt() } else { 0.0 };
            let weighted = if self.weighted.1 > 0.0 { self.weighted.0 / self.weighted.1 } else { 0.0 };
            let error = |right: f64| (1.0 - right) / 2.0;
            Errors {
                mean: error(mean),
                averaged: error(averaged),
                weighted: error(weighted),
                answers: self.answers,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::{Chance, Part};

    /// Errors of answers whose sign `k` is wrong with probability `p[k]`, about a gradient.
    fn found(p: &[f64], gradient: &[f32]) -> Errors {
        let (mut tally, mut chance) = (Tally::new(p.len()), Chance::new(5, Part::Liar, 0));
        for _ in 0..400 {
            let sign = |(p, g): (&f64, &f32)| if chance.happens(*p) { -g } else { *g };
            let y: Vec<f32> = p.iter().zip(gradient).map(sign).collect();
            let mut signs = SignBits::default();
            signs.set_from(&y, chance.bits());
            tally.take(&signs, gradient);
        }
        tally.errors().unwrap()
    }

    #[test]
    fn errors_are_found_coordinate_by_coordinate() {
        let near = |a: f64, b: f64, what: &str| assert!((a - b).abs() < 0.02, "seed 5: {what} {a} for {b}");
        let p: Vec<f64> = (0..200).map(|k| if k % 2 == 0 { 0.05 } else { 0.45 }).collect();
        let gradient: Vec<f32> = (0..200).map(|k| if k % 2 == 0 { 9.0 } else { -1.0 }).collect();
        let errors = found(&p, &gradient);
        near(errors.mean, 0.25, "mean");
        near(errors.averaged, (1.0 - f64::midpoint(0.9 * 0.9, 0.1 * 0.1).sqrt()) / 2.0, "averaged");
        near(errors.weighted, 0.9 * 0.05 + 0.1 * 0.45, "weighted");
    }

    #[test]
    fn a_coordinate_without_a_derivative_counts_as_a_coin() {
        let errors = found(&[0.0, 0.0], &[1.0, 0.0]);
        assert_eq!((errors.mean, errors.weighted, errors.answers), (0.25, 0.0, 400));
    }
}
