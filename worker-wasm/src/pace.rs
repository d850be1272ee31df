//! How much of a core a volunteer uses: after each piece of work it owes a rest, in proportion.

/// Least share of a core.
const LEAST: f64 = 0.05;

/// Rests are put together until they are this long; a browser's timers are no finer than 4 ms.
const SHORTEST_MS: f64 = 12.0;

/// Rest that may be taken in advance, because a timer was late or the server slow.
const MOST_ADVANCE_MS: f64 = 50.0;

/// The books of one worker. Time is passed in.
#[derive(Debug)]
pub struct Pace {
    /// Share of a core, [`LEAST`] to 1.
    effort: f64,
    owed_ms: f64,
    /// All that was worked.
    worked_ms: f64,
}

impl Default for Pace {
    /// All of a core.
    fn default() -> Self {
        Self { effort: 1.0, owed_ms: 0.0, worked_ms: 0.0 }
    }
}

impl Pace {
    /// Uses this share of a core from now on; what is no number, or lies outside 0.05 to 1, is brought to the nearest
    /// bound. Rest that was owed is forgiven.
    pub fn set_effort(&mut self, effort: f64) {
        let effort = if effort >= LEAST { effort } else { LEAST };
        self.effort = if effort <= 1.0 { effort } else { 1.0 };
        self.owed_ms = 0.0;
    }

    /// Has computed for so long.
    pub fn worked(&mut self, ms: f64) {
        self.owed_ms += ms * (1.0 / self.effort - 1.0);
        self.worked_ms += ms;
    }

    /// Has done nothing for so long, whatever it waited for.
    pub fn rested(&mut self, ms: f64) {
        let owed_ms = self.owed_ms - ms;
        self.owed_ms = if owed_ms > -MOST_ADVANCE_MS { owed_ms } else { -MOST_ADVANCE_MS };
    }

    /// All that it has computed, in ms.
    pub fn worked_ms(&self) -> f64 {
        self.worked_ms
    }

    /// How long to rest before the next piece of work, in ms; none while it is too little to bother.
    pub fn due_ms(&self) -> Option<f64> {
        (self.owed_ms >= SHORTEST_MS).then_some(self.owed_ms)
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    /// The share of a core over a thousand pieces of work of `work_ms`, with waits of `wait_ms` for the server and
    /// timers that are `late_ms` late.
    fn share(effort: f64, work_ms: f64, wait_ms: f64, late_ms: f64) -> f64 {
        let mut pace = Pace::default();
        pace.set_effort(effort);
        let mut passed = 0.0;
        for _ in 0..1000 {
            pace.worked(work_ms);
            pace.rested(wait_ms);
            let rest = pace.due_ms().map_or(0.0, |ms| ms + late_ms);
            pace.rested(rest);
            passed += work_ms + wait_ms + rest;
        }
        pace.worked_ms() / passed
    }

    #[test]
    fn the_share_is_kept_whatever_the_work_the_waits_and_the_timers() {
        for effort in [0.05, 0.1, 0.25, 0.5, 0.9, 1.0] {
            for (work, wait, late) in [(2.0, 0.0, 0.0), (0.3, 0.1, 4.0), (80.0, 0.5, 1.0), (3.0, 0.2, 15.0)] {
                let share = share(effort, work, wait, late);
                assert!(share <= 1.02 * effort, "{share} of a core at {effort}: {work} {wait} {late}");
                let possible = effort.min(work / (work + wait));
                assert!(share >= 0.95 * possible, "only {share} at {effort}: {work} {wait} {late}");
            }
        }
    }

    #[test]
    fn a_slow_server_gives_no_licence_to_hurry() {
        let mut pace = Pace::default();
        pace.set_effort(0.5);
        pace.rested(1e9);
        pace.worked(MOST_ADVANCE_MS + SHORTEST_MS);
        assert_eq!(pace.due_ms(), Some(SHORTEST_MS));
    }

    #[test]
    fn impossible_efforts_become_possible_ones() {
        for (asked, work_ms, rest_ms) in
            [(f64::NAN, 1.0, 19.0), (-1.0, 1.0, 19.0), (0.0, 1.0, 19.0), (0.5, 20.0, 20.0)]
        {
            let mut pace = Pace::default();
            pace.set_effort(asked);
            pace.worked(work_ms);
            assert!((pace.due_ms().expect("a rest") - rest_ms).abs() < 1e-9, "{asked}");
        }
        let mut pace = Pace::default();
        pace.set_effort(7.0);
        pace.worked(1000.0);
        assert_eq!(pace.due_ms(), None);
    }
}
