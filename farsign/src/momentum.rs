//! The fast timescale: a volunteer's momentum, an exponential moving average of its own estimates.
//!
//! ```text
//!   y <- y + beta_j (g - y),   beta_j = max(beta, 1 / (1 + j)),   j = tasks since the last reset
//! ```
//!
//! The sign of a single noisy estimate is biased; the sign of the average is less so. The first task after a reset
//! takes its estimate unchanged (`beta_0 = 1`), the next few form a plain mean, then the window stays at `1 / beta`
//! tasks. In first order the momentum is that of the gradient, `[d]`, and `y = A m`. In zeroth order it is that of the
//! estimates, `[K]`, and the server resets it when it assigns other directions.

/// Momentum at or below this size is set to zero. Otherwise the momentum of a derivative that has become zero decays to
/// the smallest subnormal and stays there (0.7 times it rounds back to itself), and its sign pushes forever.
const FLUSH: f32 = 1e-30;

/// An exponential moving average of estimates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Momentum {
    mean: Vec<f32>,
    /// Tasks since the last reset, `j`.
    tasks: u32,
}

impl Momentum {
    /// Discards all estimates.
    pub fn reset(&mut self) {
        self.tasks = 0;
    }

    /// Returns the average since the last reset: of the gradient, `[d]`, in first order, else of the estimates, `[K]`.
    /// Empty before the first estimate.
    pub fn average(&self) -> &[f32] {
        &self.mean
    }

    /// Adds an estimate and returns the average. `beta` is in `(0, 1]`.
    pub fn update(&mut self, estimate: &[f32], beta: f32) -> &[f32] {
        if self.tasks == 0 {
            self.mean.clear();
            self.mean.resize(estimate.len(), 0.0);
        }
        let plain_mean = 1.0 / (1.0 + self.tasks as f32);
        let beta_j = if plain_mean > beta { plain_mean } else { beta };
        for (mean, g) in self.mean.iter_mut().zip(estimate) {
            let next = *mean + beta_j * (g - *mean);
            *mean = if next.abs() <= FLUSH { 0.0 } else { next };
        }
        self.tasks = self.tasks.saturating_add(1);
        &self.mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn momentum_starts_as_plain_mean() {
        let mut momentum = Momentum::default();
        assert_eq!(momentum.update(&[8.0], 0.3), [8.0]);
        assert_eq!(momentum.update(&[4.0], 0.3), [6.0]);
        assert_eq!(momentum.update(&[0.0], 0.3), [4.0]);
        // 1 / (1 + 3) is below beta now.
        assert_eq!(momentum.update(&[14.0], 0.3), [4.0 + 0.3 * 10.0]);
        momentum.reset();
        assert_eq!(momentum.update(&[-1.0], 0.3), [-1.0]);
    }

    #[test]
    fn vanished_derivative_decays_to_zero() {
        let mut momentum = Momentum::default();
        momentum.update(&[1.0], 0.3);
        (0..400).for_each(|_| _ = momentum.update(&[0.0], 0.3));
        assert_eq!(momentum.update(&[0.0], 0.3)[0].to_bits(), 0);
    }
}
