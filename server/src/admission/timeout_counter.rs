//! Counts the tasks of a volunteer that timed out in a row.

use std::collections::HashMap;
use std::time::Duration;

use farsign::identity::VolunteerIdentity;
use farsign::task_timing::MAX_TIMEOUTS_IN_A_ROW;

use crate::admission::retry_after::MAX_RETRY_DELAY;
use crate::net::client_addr::ClientAddr;

/// Volunteers in memory whose last task timed out. When there are more, all are forgotten.
const MAX_SLOW_VOLUNTEERS: usize = 4096;

/// A volunteer across sessions: its identity, or its address if it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VolunteerKey {
    /// The volunteer sent a secret.
    Identity(VolunteerIdentity),
    /// All volunteers without a secret at this address.
    Address(ClientAddr),
}

/// The counts of all volunteers whose last task timed out.
#[derive(Debug, Default)]
pub struct TimeoutCounter {
    in_a_row: HashMap<VolunteerKey, u32>,
}

impl TimeoutCounter {
    /// Records a task that timed out, and returns how many did in a row.
    pub fn record(&mut self, volunteer: VolunteerKey) -> u32 {
        if self.in_a_row.len() >= MAX_SLOW_VOLUNTEERS && !self.in_a_row.contains_key(&volunteer) {
            self.in_a_row.clear();
        }
        let count = self.in_a_row.entry(volunteer).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// Forgets the timeouts of a volunteer whose update was accepted.
    pub fn reset(&mut self, volunteer: VolunteerKey) {
        self.in_a_row.remove(&volunteer);
    }
}

/// Returns the retry delay after this many timeouts in a row: `usual`, doubled with each timeout from the third on.
pub fn retry_delay(usual: Duration, timeouts: u32) -> Duration {
    let doublings = timeouts
        .saturating_add(1)
        .saturating_sub(MAX_TIMEOUTS_IN_A_ROW);
    let delay = usual.saturating_mul(1 << doublings.min(16));
    delay.min(MAX_RETRY_DELAY.max(usual))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn volunteer(number: u32) -> VolunteerKey {
        VolunteerKey::Address(IpAddr::V4(Ipv4Addr::from_bits(number)).into())
    }

    #[test]
    fn accepted_update_resets_timeouts() {
        let mut counter = TimeoutCounter::default();
        assert_eq!(counter.record(volunteer(1)), 1);
        assert_eq!(counter.record(volunteer(1)), 2);
        assert_eq!(counter.record(volunteer(2)), 1);
        counter.reset(volunteer(1));
        assert_eq!(counter.record(volunteer(1)), 1);
        assert_eq!(counter.record(volunteer(2)), 2);
    }

    #[test]
    fn delay_doubles_from_third_timeout() {
        let usual = Duration::from_secs(5);
        let delays = [1, 2, 3, 4, 5].map(|timeouts| retry_delay(usual, timeouts).as_secs());
        assert_eq!(delays, [5, 5, 10, 20, 40]);
        assert_eq!(retry_delay(usual, u32::MAX - 1), MAX_RETRY_DELAY);
        let day = Duration::from_hours(24);
        assert_eq!(retry_delay(day, 9), day);
    }

    #[test]
    fn memory_is_bounded() {
        let mut counter = TimeoutCounter::default();
        (0..3 * MAX_SLOW_VOLUNTEERS as u32).for_each(|n| _ = counter.record(volunteer(n)));
        assert!(counter.in_a_row.len() <= MAX_SLOW_VOLUNTEERS);
    }
}
