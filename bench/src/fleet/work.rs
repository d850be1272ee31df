//! What volunteers have done: updates, images, and their time.

use std::ops::Sub;
use std::time::Duration;

/// The work of a group of volunteers since its start, as sums over all volunteers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Updates that the server accepted.
    pub accepted: u64,
    /// Updates that were computed.
    pub computed: u64,
    /// Images of the computed updates.
    pub images: u64,
    /// Time of computing updates, or of waiting instead.
    pub computing: Duration,
    /// Time of rests.
    pub resting: Duration,
}

impl Work {
    /// Returns the fraction of the time besides rests spent computing, 0 to 1.
    ///
    /// The remaining time is that of waiting for the line or the server. `None` if the volunteers rested all the time.
    pub fn busy(&self, volunteers: usize, time: Duration) -> Option<f64> {
        let awake = (volunteers as u32 * time).checked_sub(self.resting)?;
        let computing = self.computing.as_secs_f64();
        (!awake.is_zero()).then(|| (computing / awake.as_secs_f64()).min(1.0))
    }
}

impl Sub for Work {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            accepted: self.accepted - earlier.accepted,
            computed: self.computed - earlier.computed,
            images: self.images - earlier.images,
            computing: self.computing.saturating_sub(earlier.computing),
            resting: self.resting.saturating_sub(earlier.resting),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(computing_s: u64, resting_s: u64) -> Work {
        Work {
            computing: Duration::from_secs(computing_s),
            resting: Duration::from_secs(resting_s),
            ..Work::default()
        }
    }

    #[test]
    fn busy_fraction_excludes_rests() {
        let time = Duration::from_secs(10);
        assert_eq!(work(10, 0).busy(4, time), Some(0.25));
        assert_eq!(work(10, 30).busy(4, time), Some(1.0));
        assert_eq!(work(5, 30).busy(4, time), Some(0.5));
        assert_eq!(work(0, 40).busy(4, time), None);
        assert_eq!(work(0, 41).busy(4, time), None);
    }

    #[test]
    fn difference_is_work_between() {
        let later = Work {
            accepted: 9,
            computed: 10,
            images: 1000,
            ..work(7, 5)
        };
        let earlier = Work {
            accepted: 4,
            computed: 4,
            images: 400,
            ..work(3, 1)
        };
        let expected = Work {
            accepted: 5,
            computed: 6,
            images: 600,
            ..work(4, 4)
        };
        assert_eq!(later - earlier, expected);
    }
}
