//! The fast timescale: a running average of a volunteer's own estimates.
//!
//! ```text
//!   y <- y + beta_j (g - y),   beta_j = max(beta, 1 / (1 + j)),   j = tasks since the last reset
//! ```
//!
//! The sign of a single noisy estimate is biased; the sign of the average is less so. The first task after a reset
//! takes its estimate as it is (`beta_0 = 1`), the next few are plain means, then the window stays at `1 / beta`
//! tasks. In first order the average is kept of the gradient, `[d]`, and `y = A m`; in zeroth order of the
//! estimates themselves, `[K]`, and the server resets it when it assigns other directions.

/// Averages below this are taken as zero. Without it, the average of a derivative that has become zero decays to the
/// smallest subnormal and stays there (0.7 times it rounds back to itself), and its sign pushes for ever.
const FLUSH: f32 = 1e-30;

/// A running average of estimates.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    mean: Vec<f32>,
    /// Tasks since the last reset, `j`.
    tasks: u32,
}

impl Tracker {
    /// Forgets every estimate so far.
    pub fn reset(&mut self) {
        self.tasks = 0;
    }

    /// The average of the estimates since the last reset: of the gradient, `[d]`, in first order, else `[K]`; empty
    /// before the first.
    pub fn average(&self) -> &[f32] {
        &self.mean
    }

    /// Takes in an estimate, and gives the average. `beta` is in `(0, 1]`.
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
    fn starts_as_a_plain_mean_and_then_forgets_at_rate_beta() {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.update(&[8.0], 0.3), [8.0]);
        assert_eq!(tracker.update(&[4.0], 0.3), [6.0]);
        assert_eq!(tracker.update(&[0.0], 0.3), [4.0]);
        // 1 / (1 + 3) is below beta now.
        assert_eq!(tracker.update(&[14.0], 0.3), [4.0 + 0.3 * 10.0]);
        tracker.reset();
        assert_eq!(tracker.update(&[-1.0], 0.3), [-1.0]);
    }

    #[test]
    fn a_derivative_that_vanished_is_forgotten_for_good() {
        let mut tracker = Tracker::default();
        tracker.update(&[1.0], 0.3);
        (0..400).for_each(|_| _ = tracker.update(&[0.0], 0.3));
        assert_eq!(tracker.update(&[0.0], 0.3)[0].to_bits(), 0);
    }
}
