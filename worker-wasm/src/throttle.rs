//! Limits the fraction of a core that a volunteer uses: work is followed by a proportional delay.

/// Lowest fraction of a core.
const MIN_EFFORT: f64 = 0.05;

/// Shorter delays accumulate; timers of browsers have a resolution of 4 ms.
const MIN_DELAY_MS: f64 = 12.0;

/// Idle time that counts in advance, after a late timer or a slow server.
const MAX_ADVANCE_MS: f64 = 50.0;

/// A duty-cycle limiter. The caller passes in the time.
#[derive(Debug)]
pub struct Throttle {
    /// Fraction of a core, [`MIN_EFFORT`] to 1.
    effort: f64,
    owed_ms: f64,
    worked_ms: f64,
}

impl Default for Throttle {
    /// Uses all of a core.
    fn default() -> Self {
        Self {
            effort: 1.0,
            owed_ms: 0.0,
            worked_ms: 0.0,
        }
    }
}

impl Throttle {
    /// Returns the fraction of a core.
    pub fn effort(&self) -> f64 {
        self.effort
    }

    /// Sets the fraction of a core, clamped to 0.05 to 1 (NaN becomes 0.05). A change drops the owed delay. Returns
    /// whether the fraction changed.
    pub fn set_effort(&mut self, effort: f64) -> bool {
        let effort = if effort >= MIN_EFFORT {
            effort
        } else {
            MIN_EFFORT
        };
        let effort = if effort <= 1.0 { effort } else { 1.0 };
        let is_changed = effort != self.effort;
        if is_changed {
            self.effort = effort;
            self.owed_ms = 0.0;
        }
        is_changed
    }

    /// Records computing time.
    pub fn record_work(&mut self, ms: f64) {
        self.owed_ms += self.rest_ms(ms);
        self.worked_ms += ms;
    }

    /// Records idle time, whatever its cause.
    pub fn record_idle(&mut self, ms: f64) {
        let owed_ms = self.owed_ms - ms;
        self.owed_ms = if owed_ms > -MAX_ADVANCE_MS {
            owed_ms
        } else {
            -MAX_ADVANCE_MS
        };
    }

    /// Returns the total computing time in ms.
    pub fn worked_ms(&self) -> f64 {
        self.worked_ms
    }

    /// Returns the delay before the next work in ms; `None` if it is too short for a timer.
    pub fn delay_ms(&self) -> Option<f64> {
        self.delay_after_ms(0.0)
    }

    /// Returns the delay after further work of `ms`, which is not recorded yet. `None` if it is too short for a timer.
    pub fn delay_after_ms(&self, ms: f64) -> Option<f64> {
        let owed_ms = self.owed_ms + self.rest_ms(ms);
        (owed_ms >= MIN_DELAY_MS).then_some(owed_ms)
    }

    /// Returns the rest that work of this time leads to.
    fn rest_ms(&self, worked_ms: f64) -> f64 {
        worked_ms * (1.0 / self.effort - 1.0)
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    /// Returns the duty cycle over a thousand units of work, with waits for the server and late timers.
    fn duty_cycle(effort: f64, work_ms: f64, wait_ms: f64, late_ms: f64) -> f64 {
        let mut throttle = Throttle::default();
        throttle.set_effort(effort);
        let mut elapsed = 0.0;
        for _ in 0..1000 {
            throttle.record_work(work_ms);
            throttle.record_idle(wait_ms);
            let delay = throttle.delay_ms().map_or(0.0, |ms| ms + late_ms);
            throttle.record_idle(delay);
            elapsed += work_ms + wait_ms + delay;
        }
        throttle.worked_ms() / elapsed
    }

    #[test]
    fn duty_cycle_matches_target() {
        for effort in [0.05, 0.1, 0.25, 0.5, 0.9, 1.0] {
            for (work, wait, late) in [
                (2.0, 0.0, 0.0),
                (0.3, 0.1, 4.0),
                (80.0, 0.5, 1.0),
                (3.0, 0.2, 15.0),
            ] {
                let used = duty_cycle(effort, work, wait, late);
                assert!(
                    used <= 1.02 * effort,
                    "{used} of a core at {effort}: {work} {wait} {late}"
                );
                let possible = effort.min(work / (work + wait));
                assert!(
                    used >= 0.95 * possible,
                    "only {used} at {effort}: {work} {wait} {late}"
                );
            }
        }
    }

    #[test]
    fn idle_advance_is_capped() {
        let mut throttle = Throttle::default();
        throttle.set_effort(0.5);
        throttle.record_idle(1e9);
        throttle.record_work(MAX_ADVANCE_MS + MIN_DELAY_MS);
        assert_eq!(throttle.delay_ms(), Some(MIN_DELAY_MS));
    }

    #[test]
    fn announced_delay_is_owed_delay() {
        let mut throttle = Throttle::default();
        throttle.set_effort(0.25);
        throttle.record_work(2.0);
        assert_eq!(throttle.delay_after_ms(1.0), None, "9 ms");
        assert_eq!(throttle.delay_after_ms(8.0), Some(30.0));
        throttle.record_work(8.0);
        assert_eq!(throttle.delay_ms(), Some(30.0));
    }

    #[test]
    fn invalid_efforts_are_clamped() {
        for (effort, work_ms, delay_ms) in [
            (f64::NAN, 1.0, 19.0),
            (-1.0, 1.0, 19.0),
            (0.0, 1.0, 19.0),
            (0.5, 20.0, 20.0),
        ] {
            let mut throttle = Throttle::default();
            throttle.set_effort(effort);
            throttle.record_work(work_ms);
            assert!(
                (throttle.delay_ms().expect("a delay") - delay_ms).abs() < 1e-9,
                "{effort}"
            );
        }
        let mut throttle = Throttle::default();
        throttle.set_effort(7.0);
        throttle.record_work(1000.0);
        assert_eq!(throttle.delay_ms(), None);
    }

    #[test]
    fn only_changed_effort_drops_delay() {
        let mut throttle = Throttle::default();
        assert!(throttle.set_effort(0.5));
        throttle.record_work(20.0);
        assert!(!throttle.set_effort(0.5));
        assert_eq!(throttle.delay_ms(), Some(20.0));
        assert!(throttle.set_effort(0.25));
        assert_eq!(throttle.delay_ms(), None);
    }
}
