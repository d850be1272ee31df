//! Weight that has to be earned: what a volunteer's answers count depends on the checks it has passed.
//!
//! ```text
//!   t_i   = .05 + .95 * min(passed_i / 6, 1)               trust of volunteer i
//!   mean <- mean + .02 (t_i - mean)                         on every accepted message, starting at .05
//!   r_i   = min(3, t_i / max(mean, .25))                    the factor on the weight of its message
//! ```
//!
//! A name costs nothing, so whoever is removed comes back under a new one. What a new name is worth decides whether that
//! pays: a twentieth, until six answers picked at random have been computed again and found right. Behaving for a
//! while does not help either, since it is checks that count and not answers. Dividing by the running mean keeps the
//! training at full speed where many are new. Where nearly all are, as at the start of a run, each counts a fifth:
//! liars are as many then as they will ever be, and what a hidden unit loses to them early it may never get back.

/// Trust of somebody who has passed no check.
pub const NEWCOMER: f32 = 0.05;

/// Passed checks after which there is full trust.
pub const PROBATION: u32 = 6;

/// Largest factor on a weight.
pub const MOST_RELATIVE: f32 = 3.0;

/// Trust is divided by no less than this.
const LEAST_MEAN: f32 = 0.25;

/// Rate at which the mean follows.
const RATE: f32 = 0.02;

/// Passed checks after which a volunteer is checked less.
const LONG: u32 = 30;

/// What a volunteer has earned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Checks passed, since the last one that failed.
    pub passed: u32,
}

impl Trust {
    /// Trust, [`NEWCOMER`] to 1.
    pub fn value(self) -> f32 {
        let share = self.passed as f32 / PROBATION as f32;
        NEWCOMER + (1.0 - NEWCOMER) * if share < 1.0 { share } else { 1.0 }
    }

    /// Probability with which an answer is picked for a check: six times `share` on probation, one and a half times
    /// after it, `share` after long honesty.
    pub fn check_share(self, share: f64) -> f64 {
        let factor = match self.passed {
            0..PROBATION => 6.0,
            PROBATION..LONG => 1.5,
            LONG.. => 1.0,
        };
        let share = factor * share;
        if share < 1.0 { share } else { 1.0 }
    }
}

/// Running mean of the trust in the senders of accepted messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrustMean(pub f32);

impl Default for TrustMean {
    fn default() -> Self {
        Self(NEWCOMER)
    }
}

impl TrustMean {
    /// Takes in the trust in the sender of a message, and gives the factor on the message's weight.
    pub fn relative(&mut self, trust: Trust) -> f32 {
        let trust = trust.value();
        self.0 += RATE * (trust - self.0);
        let mean = if self.0 > LEAST_MEAN { self.0 } else { LEAST_MEAN };
        let relative = trust / mean;
        if relative < MOST_RELATIVE { relative } else { MOST_RELATIVE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_grows_with_passed_checks_and_checks_become_rarer_but_never_stop() {
        let of = |passed| Trust { passed };
        assert_eq!(of(0).value(), NEWCOMER);
        assert!(of(1).value() > of(0).value() && of(5).value() < 1.0);
        assert_eq!((of(6).value(), of(1000).value()), (1.0, 1.0));
        assert!(of(0).check_share(0.02) > of(6).check_share(0.02));
        assert!(of(6).check_share(0.02) > of(u32::MAX).check_share(0.02));
        assert!(of(u32::MAX).check_share(0.02) > 0.0);
        assert_eq!(of(0).check_share(0.5), 1.0);
    }

    #[test]
    fn newcomers_count_a_fifth_while_all_are_new_and_hardly_once_some_are_not() {
        let mut mean = TrustMean::default();
        assert_eq!(mean.relative(Trust::default()), 0.2);
        (0..400).for_each(|_| _ = mean.relative(Trust { passed: PROBATION }));
        assert!(mean.relative(Trust { passed: PROBATION }) < 1.01);
        assert!(mean.relative(Trust::default()) < 0.06);
    }

    #[test]
    fn the_first_to_be_trusted_do_not_take_over() {
        let mut mean = TrustMean::default();
        assert_eq!(mean.relative(Trust { passed: PROBATION }), MOST_RELATIVE);
    }
}
