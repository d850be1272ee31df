//! Statistics of one volunteer, for display.

use std::time::Instant;

/// Seconds after which an update counts half.
const HALF_LIFE_S: f64 = 30.0;

/// Weight of a new value in a running mean.
const EMA_RATE: f64 = 1.0 / 16.0;

/// A sum of amounts that decay with their age.
#[derive(Clone, Copy, Debug)]
pub struct DecayingSum {
    since: Instant,
    at: Instant,
    sum: f64,
}

impl DecayingSum {
    /// Creates an empty sum.
    pub fn new(now: Instant) -> Self {
        Self {
            since: now,
            at: now,
            sum: 0.0,
        }
    }

    /// Adds an amount.
    pub fn add(&mut self, now: Instant, amount: f64) {
        (self.sum, self.at) = (self.sum(now) + amount, now);
    }

    /// Returns the decayed sum.
    pub fn sum(&self, now: Instant) -> f64 {
        self.sum * decay(self.at, now)
    }

    /// Returns the recent amount per second, corrected for the time before the first amount.
    pub fn rate(&self, now: Instant) -> f64 {
        let seen = 1.0 - decay(self.since, now);
        if seen > 0.0 {
            self.sum(now) * std::f64::consts::LN_2 / HALF_LIFE_S / seen
        } else {
            0.0
        }
    }
}

fn decay(then: Instant, now: Instant) -> f64 {
    (-now.saturating_duration_since(then).as_secs_f64() / HALF_LIFE_S).exp2()
}

/// An exponential moving average. `None` before the first value.
#[derive(Clone, Copy, Debug, Default)]
struct RunningMean(Option<f64>);

impl RunningMean {
    fn push(&mut self, value: f64) {
        self.0 = Some(
            self.0
                .map_or(value, |mean| mean + EMA_RATE * (value - mean)),
        );
    }
}

/// Statistics of an accepted update.
#[derive(Clone, Copy, Debug)]
pub struct UpdateStats {
    /// Number among accepted updates.
    pub update: u64,
    /// Accepted updates in the version of its task.
    pub base: u64,
    /// Weight.
    pub weight: f32,
    /// Fraction of signs equal to a simultaneous update of another volunteer, 0 to 1. `None` if unknown.
    pub agreement: Option<f64>,
}

/// Statistics of a volunteer's updates.
#[derive(Clone, Copy, Debug)]
pub struct VolunteerStats {
    updates: DecayingSum,
    weight: DecayingSum,
    staleness: RunningMean,
    agreement: RunningMean,
    last: Instant,
}

impl VolunteerStats {
    /// Creates the statistics of a volunteer that has just joined.
    pub fn new(now: Instant) -> Self {
        Self {
            updates: DecayingSum::new(now),
            weight: DecayingSum::new(now),
            staleness: RunningMean::default(),
            agreement: RunningMean::default(),
            last: now,
        }
    }

    /// Records an accepted update.
    pub fn on_update(
        &mut self,
        now: Instant,
        UpdateStats {
            update,
            base,
            weight,
            agreement,
        }: UpdateStats,
    ) {
        self.updates.add(now, 1.0);
        self.weight.add(now, f64::from(weight));
        self.staleness.push(update.saturating_sub(base + 1) as f64);
        if let Some(agreement) = agreement {
            self.agreement.push(agreement);
        }
        self.last = now;
    }

    /// Returns recently accepted updates per second.
    pub fn accepted_per_s(&self, now: Instant) -> f64 {
        self.updates.rate(now)
    }

    /// Returns the recent weight of its updates.
    pub fn weight(&self, now: Instant) -> f64 {
        self.weight.sum(now)
    }

    /// Returns the average number of updates of others accepted between a task's version and its update. `None` before
    /// the first update.
    pub fn staleness(&self) -> Option<f64> {
        self.staleness.0
    }

    /// Returns the average fraction of signs equal to those of another volunteer, 0 to 1. `None` if updates are not
    /// comparable.
    pub fn agreement(&self) -> Option<f64> {
        self.agreement.0
    }

    /// Returns the seconds since its last accepted update, or since it joined.
    pub fn idle_s(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.last).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn rate_estimate_tracks_changes() {
        let start = Instant::now();
        let mut updates = DecayingSum::new(start);
        for tenth in 1..=6000 {
            let now = after(start, f64::from(tenth) / 10.0);
            updates.add(now, if tenth <= 3000 { 1.0 } else { 0.2 });
            if tenth > 30 && tenth <= 3000 {
                let found = updates.rate(now);
                assert!(
                    (found - 10.0).abs() < 0.5,
                    "{found} updates per second after {tenth} tenths"
                );
            }
        }
        let found = updates.rate(after(start, 600.0));
        assert!(
            (found - 2.0).abs() < 0.1,
            "{found} updates per second at the end"
        );
        assert!(
            updates.rate(after(start, 900.0)) < 0.01,
            "updates have stopped"
        );
        assert_eq!(DecayingSum::new(start).rate(start), 0.0);
    }

    #[test]
    fn staleness_counts_updates_in_between() {
        let start = Instant::now();
        let mut stats = VolunteerStats::new(start);
        assert_eq!((stats.staleness(), stats.agreement()), (None, None));
        let accepted = |base, update| UpdateStats {
            update,
            base,
            weight: 1.0,
            agreement: Some(0.75),
        };
        stats.on_update(after(start, 1.0), accepted(10, 11)); // no update of others in between
        assert_eq!(stats.staleness(), Some(0.0));
        for _ in 0..100 {
            stats.on_update(after(start, 2.0), accepted(20, 25));
        }
        assert!(
            (stats.staleness().unwrap() - 4.0).abs() < 0.1,
            "{:?}",
            stats.staleness()
        );
        assert_eq!(stats.agreement(), Some(0.75));
        assert_eq!(stats.idle_s(after(start, 5.0)), 3.0);
    }
}
