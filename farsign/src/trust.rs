//! Trust: a factor on the weight of a volunteer's updates that grows with its passed verifications.
//!
//! ```text
//!   t_i   = .05 + .95 * min(passed_i / 6, 1)               trust of volunteer i
//!   mean <- mean + .02 (t_i - mean)                         on every accepted update, starting at .05
//!   r_i   = min(3, t_i / max(mean, .25))                    the factor on the weight of its update
//! ```
//!
//! A new identity costs nothing, so an ejected attacker can rejoin under another one. A new identity therefore gets a
//! twentieth of the trust until six updates sampled at random have passed verification. Sending many honest updates
//! first does not help, because only verified updates count. Dividing by the mean keeps the training at full speed if
//! many volunteers are new. If nearly all are new, as at the start of a run, each counts a fifth: the Byzantine
//! fraction is highest then, and a hidden unit may never recover from early damage.

/// Trust without a passed verification.
pub const INITIAL_TRUST: f32 = 0.05;

/// Number of passed verifications that give full trust.
pub const PROBATION_VERIFICATIONS: u32 = 6;

/// Largest factor on the weight of an update.
pub const MAX_RELATIVE: f32 = 3.0;

/// Lower bound of the divisor.
const MIN_MEAN: f32 = 0.25;

/// Rate of the exponential moving average.
const EMA_RATE: f32 = 0.02;

/// Number of passed verifications after which verification becomes rarer.
const ESTABLISHED_AFTER: u32 = 30;

/// A volunteer's trust.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Verifications passed since the last failure.
    pub passed: u32,
}

impl Trust {
    /// Returns the trust, [`INITIAL_TRUST`] to 1.
    pub fn value(self) -> f32 {
        let fraction = self.passed as f32 / PROBATION_VERIFICATIONS as f32;
        INITIAL_TRUST + (1.0 - INITIAL_TRUST) * if fraction < 1.0 { fraction } else { 1.0 }
    }

    /// Returns the probability of verifying an update, at most 1.
    ///
    /// Six times `probability` during probation, then one and a half times, and `probability` itself once the volunteer
    /// is established.
    pub fn verify_probability(self, probability: f64) -> f64 {
        let factor = match self.passed {
            0..PROBATION_VERIFICATIONS => 6.0,
            PROBATION_VERIFICATIONS..ESTABLISHED_AFTER => 1.5,
            ESTABLISHED_AFTER.. => 1.0,
        };
        let probability = factor * probability;
        if probability < 1.0 { probability } else { 1.0 }
    }
}

/// An exponential moving average of the trust in the senders of accepted updates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrustMean(pub f32);

impl Default for TrustMean {
    fn default() -> Self {
        Self(INITIAL_TRUST)
    }
}

impl TrustMean {
    /// Adds the trust in an update's sender and returns the factor on the update's weight, above 0.
    pub fn observe(&mut self, trust: Trust) -> f32 {
        let trust = trust.value();
        self.0 += EMA_RATE * (trust - self.0);
        let mean = if self.0 > MIN_MEAN { self.0 } else { MIN_MEAN };
        let relative = trust / mean;
        if relative < MAX_RELATIVE {
            relative
        } else {
            MAX_RELATIVE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_grows_and_verification_becomes_rarer() {
        let of = |passed| Trust { passed };
        assert_eq!(of(0).value(), INITIAL_TRUST);
        assert!(of(1).value() > of(0).value() && of(5).value() < 1.0);
        assert_eq!((of(6).value(), of(1000).value()), (1.0, 1.0));
        assert!(of(0).verify_probability(0.02) > of(6).verify_probability(0.02));
        assert!(of(6).verify_probability(0.02) > of(u32::MAX).verify_probability(0.02));
        assert!(of(u32::MAX).verify_probability(0.02) > 0.0);
        assert_eq!(of(0).verify_probability(0.5), 1.0);
    }

    #[test]
    fn newcomer_weight_shrinks_beside_trusted() {
        let mut mean = TrustMean::default();
        assert_eq!(mean.observe(Trust::default()), 0.2);
        (0..400).for_each(|_| {
            _ = mean.observe(Trust {
                passed: PROBATION_VERIFICATIONS,
            });
        });
        assert!(
            mean.observe(Trust {
                passed: PROBATION_VERIFICATIONS
            }) < 1.01
        );
        assert!(mean.observe(Trust::default()) < 0.06);
    }

    #[test]
    fn first_trusted_volunteer_is_capped() {
        let mut mean = TrustMean::default();
        assert_eq!(
            mean.observe(Trust {
                passed: PROBATION_VERIFICATIONS
            }),
            MAX_RELATIVE
        );
    }
}
