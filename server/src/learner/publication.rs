//! When versions are published: soon, so that tasks are fresh, and seldom enough that it costs little.
//!
//! ```text
//!   a version is due    after N / 16 updates, once 128 times the CPU time of the last publication has passed
//!                       after max(8, N / 4) updates at the latest, a single volunteer's after 4
//!                       at once when a volunteer joins or leaves, and at the end of the run
//! ```
//!
//! Where updates arrive slowly, the time has always passed. Volunteers near the server, without a line in between, would
//! otherwise spend as much on versions as on updates: each version is rounded, hashed and encoded here, and decoded and
//! hashed by every volunteer.

use std::time::{Duration, Instant};

use farsign::assignment::updates_between_snapshots;

/// Time between two versions over the CPU time of making one.
const INTERVAL_OVER_COST: u32 = 128;

/// Updates between two versions, at most, in a small fleet.
const MAX_UPDATES: u64 = 8;

/// Updates of each volunteer between two versions, at most.
const MAX_UPDATES_EACH: u64 = 4;

/// Updates between two versions, at most, in a large fleet, as a multiple of those after which one may be due.
const MAX_OVER_MIN_UPDATES: u64 = 4;

/// The schedule of versions.
#[derive(Debug)]
pub(super) struct PublicationSchedule {
    /// Accepted updates from which on the next version is due if it is time.
    due_at: u64,
    /// Accepted updates from which on it is due at any time.
    overdue_at: u64,
    /// The time from which on it may be due.
    earliest: Instant,
}

impl PublicationSchedule {
    /// Creates a schedule whose first version is due at the first update.
    pub fn new(now: Instant) -> Self {
        Self {
            due_at: 0,
            overdue_at: 0,
            earliest: now,
        }
    }

    /// Makes the next version due as soon as the model has changed.
    pub fn expedite(&mut self) {
        self.overdue_at = 0;
    }

    /// Returns whether a version is due after `accepted` updates.
    pub fn is_due(&self, accepted: u64, now: Instant) -> bool {
        accepted >= self.overdue_at || accepted >= self.due_at && now >= self.earliest
    }

    /// Records a version after `accepted` updates, with `active` volunteers, that took the CPU time `cost` to make.
    pub fn on_published(&mut self, accepted: u64, active: usize, now: Instant, cost: Duration) {
        let updates = updates_between_snapshots(active);
        self.due_at = accepted + updates;
        let small = MAX_UPDATES.min(MAX_UPDATES_EACH * active.max(1) as u64);
        self.overdue_at = accepted + small.max(MAX_OVER_MIN_UPDATES * updates);
        self.earliest = now + INTERVAL_OVER_COST * cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Duration = Duration::from_micros(100);

    fn published(active: usize) -> (PublicationSchedule, Instant) {
        let now = Instant::now();
        let mut schedule = PublicationSchedule::new(now);
        assert!(schedule.is_due(1, now), "the first");
        schedule.on_published(1000, active, now, COST);
        (schedule, now)
    }

    #[test]
    fn slow_updates_are_each_published() {
        let (schedule, now) = published(1);
        let interval = INTERVAL_OVER_COST * COST;
        assert!(schedule.is_due(1001, now + interval));
        assert!(!schedule.is_due(1001, now + interval / 2));
    }

    #[test]
    fn fast_updates_share_version() {
        for (active, most) in [(0, 4), (1, 4), (2, 8), (64, 16), (65, 20), (1000, 252)] {
            let (schedule, now) = published(active);
            assert!(!schedule.is_due(1000 + most - 1, now), "{active} active");
            assert!(schedule.is_due(1000 + most, now), "{active} active");
        }
    }

    #[test]
    fn large_fleet_shares_version() {
        let (schedule, now) = published(1000);
        let later = now + Duration::from_mins(1);
        assert!(!schedule.is_due(1062, later) && schedule.is_due(1063, later));
    }

    #[test]
    fn expedited_version_is_due() {
        let (mut schedule, now) = published(1000);
        schedule.expedite();
        assert!(schedule.is_due(1001, now));
    }
}
