//! The slow timescale: the step size `alpha_n`, clocked on accepted weight.
//!
//! ```text
//!   constant    alpha = initial
//!   cosine      alpha = initial * (1 + cos(pi * W / horizon)) / 2, and 0 from the horizon on: the run is finished
//!   power law   alpha = initial / (1 + W / offset)^exponent
//! ```
//!
//! `W` is the sum of the weights of all accepted updates, not their number. Otherwise an attacker that sends at a high
//! rate would use up the schedule.
//!
//! # Examples
//!
//! ```
//! use farsign::schedule::{Decay, StepSize};
//!
//! let step_size = StepSize { initial: 0.5, decay: Decay::Cosine { horizon: 100.0 } };
//! assert_eq!(step_size.at(0.0), 0.5);
//! assert_eq!(step_size.at(100.0), 0.0); // the run is finished
//! assert_eq!(step_size.progress(25.0), Some(0.25));
//! ```

use crate::math;

/// Largest weight of one update, by which the clock advances at most.
pub const WEIGHT_CAP: f32 = 5.0;

/// A decay of the step size over the accepted weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    /// No decay.
    Constant,
    /// A half cosine that ends at zero.
    Cosine {
        /// Accepted weight at which the run is finished, above 0.
        horizon: f64,
    },
    /// A power of the accepted weight. Almost-sure convergence requires an exponent in `(1/2, 1]`.
    PowerLaw {
        /// Accepted weight at which the decay begins, above 0.
        offset: f64,
        /// Exponent, above 0.
        exponent: f64,
    },
}

/// An initial step size with its decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSize {
    /// Step size of the first update, `alpha_0`, above 0.
    pub initial: f64,
    /// Decay of the step size.
    pub decay: Decay,
}

impl StepSize {
    /// Returns the step size `alpha_n` at accepted weight `weight`, at least 0.
    pub fn at(&self, weight: f64) -> f32 {
        let factor = match self.decay {
            Decay::Constant => 1.0,
            Decay::Cosine { .. } => {
                let progress = self.progress(weight).unwrap_or(1.0);
                if progress < 1.0 {
                    0.5 + 0.5 * math::cos(std::f64::consts::PI * progress)
                } else {
                    0.0
                }
            }
            Decay::PowerLaw { offset, exponent } => {
                1.0 / math::pow(1.0 + weight / offset, exponent)
            }
        };
        (self.initial * factor) as f32
    }

    /// Returns the completed fraction of the schedule, 0 to 1; `None` if the schedule has no end.
    pub fn progress(&self, weight: f64) -> Option<f64> {
        match self.decay {
            Decay::Cosine { horizon } => Some(if weight < horizon {
                weight / horizon
            } else {
                1.0
            }),
            Decay::Constant | Decay::PowerLaw { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_size_follows_decay_equations() {
        let at = |decay, weight| {
            StepSize {
                initial: 0.5,
                decay,
            }
            .at(weight)
        };
        assert_eq!(at(Decay::Constant, 1e9), 0.5);
        let cosine = Decay::Cosine { horizon: 100.0 };
        assert_eq!(at(cosine, 0.0), 0.5);
        assert!((at(cosine, 50.0) - 0.25).abs() < 1e-6);
        assert_eq!(at(cosine, 100.0), 0.0);
        assert_eq!(at(cosine, 101.0), 0.0);
        let power = Decay::PowerLaw {
            offset: 10.0,
            exponent: 0.75,
        };
        assert_eq!(at(power, 0.0), 0.5);
        assert!((at(power, 150.0) - 0.5 / 8.0).abs() < 1e-6);
    }
}
