//! A volunteer's time for its tasks, compared with the time that the server allows.

use std::fmt;

/// Tasks in a row that time out before a volunteer counts as too slow for the run.
pub const MAX_TIMEOUTS_IN_A_ROW: u32 = 3;

/// Delay of a volunteer that is too slow, in milliseconds; it doubles with each further timeout.
const INITIAL_DELAY_MS: u32 = 60_000;

/// Longest delay of a volunteer that is too slow, in milliseconds.
const MAX_DELAY_MS: u32 = 3_600_000;

/// The times of a volunteer's tasks. The caller measures them.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskTiming {
    /// The server's timeout of a task; `None` before the first session.
    timeout_ms: Option<f64>,
    /// Time in which the last update was computed; 0 before the first.
    update_ms: f64,
    timeouts_in_a_row: u32,
}

impl TaskTiming {
    /// Notes the timeout of the tasks of a new session, in ms.
    pub fn join(&mut self, timeout_ms: u32) {
        self.timeout_ms = Some(timeout_ms.into());
    }

    /// Records the time in which an update was computed, in ms.
    pub fn record_update(&mut self, ms: f64) {
        self.update_ms = ms;
    }

    /// Records an accepted update: the volunteer is fast enough.
    pub fn record_accepted(&mut self) {
        self.timeouts_in_a_row = 0;
    }

    /// Returns the longest rest within a session, in ms: half of the timeout, less twice the time of an update.
    ///
    /// A longer rest is taken without a session.
    pub fn max_rest_ms(&self) -> f64 {
        let spare = |timeout: f64| timeout / 2.0 - 2.0 * self.update_ms;
        match self.timeout_ms.map(spare) {
            None => f64::INFINITY,
            Some(ms) if ms > 0.0 => ms,
            Some(_) => 0.0,
        }
    }

    /// Records a task that timed out. `None` while fewer than three in a row did.
    pub fn record_timeout(&mut self) -> Option<TooSlow> {
        self.timeouts_in_a_row = self.timeouts_in_a_row.saturating_add(1);
        let further = self.timeouts_in_a_row.checked_sub(MAX_TIMEOUTS_IN_A_ROW)?;
        let delay_ms = INITIAL_DELAY_MS.saturating_mul(1 << further.min(16));
        Some(TooSlow {
            timeouts_in_a_row: self.timeouts_in_a_row,
            timeout_ms: self.timeout_ms.unwrap_or_default(),
            update_ms: self.update_ms,
            delay_ms: delay_ms.min(MAX_DELAY_MS),
        })
    }
}

/// A volunteer whose updates come too late. Its text says what an operator can change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TooSlow {
    timeouts_in_a_row: u32,
    timeout_ms: f64,
    update_ms: f64,
    delay_ms: u32,
}

impl TooSlow {
    /// Returns the delay before the next attempt, in ms.
    pub fn delay_ms(&self) -> u32 {
        self.delay_ms
    }
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            timeouts_in_a_row,
            timeout_ms,
            update_ms,
            ..
        } = *self;
        let (timeout_s, update_s) = (timeout_ms / 1000.0, update_ms / 1000.0);
        write!(
            f,
            "this machine is too slow for this run: {timeouts_in_a_row} tasks in a row timed out after {timeout_s} s"
        )?;
        if update_ms > timeout_ms {
            write!(f, ", and an update takes it {update_s:.1} s")?;
        } else {
            write!(
                f,
                ", although an update takes it {update_s:.1} s: the connection may be too slow for the model"
            )?;
        }
        f.write_str(
            "; the operator can choose a longer --task-timeout-ms, or a smaller --batch or --hidden",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a volunteer in a session with this timeout, whose updates take this long.
    fn timing(timeout_ms: u32, update_ms: f64) -> TaskTiming {
        let mut timing = TaskTiming::default();
        timing.join(timeout_ms);
        timing.record_update(update_ms);
        timing
    }

    #[test]
    fn rest_leaves_time_for_update() {
        assert_eq!(TaskTiming::default().max_rest_ms(), f64::INFINITY);
        for timeout_ms in [100, 4_000, 120_000, u32::MAX] {
            for update_ms in [0.0, 1.0, 700.0, 5_000.0, 1e9] {
                let timing = timing(timeout_ms, update_ms);
                let rest = timing.max_rest_ms();
                assert!(rest >= 0.0);
                let is_in_time = rest + update_ms <= f64::from(timeout_ms) / 2.0;
                assert!(rest == 0.0 || is_in_time, "{timing:?}: {rest}");
            }
        }
    }

    #[test]
    fn third_timeout_is_too_slow() {
        let mut timing = timing(4_000, 9_100.0);
        assert_eq!(
            [timing.record_timeout(), timing.record_timeout()],
            [None; 2]
        );
        let slow = timing.record_timeout().expect("too slow");
        let text = slow.to_string();
        for part in ["3 tasks", "4 s", "9.1 s", "--task-timeout-ms", "--batch"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn slow_connection_is_named() {
        let mut timing = timing(4_000, 300.0);
        let slow = (0..3).filter_map(|_| timing.record_timeout()).last();
        assert!(slow.expect("too slow").to_string().contains("connection"));
    }

    #[test]
    fn delay_doubles_until_accepted_update() {
        let mut timing = timing(4_000, 9_100.0);
        let delays: Vec<u32> = (0..40)
            .filter_map(|_| timing.record_timeout())
            .map(|slow| slow.delay_ms())
            .collect();
        assert_eq!(delays[..3], [60_000, 120_000, 240_000]);
        assert!(delays[6..].iter().all(|delay| *delay == 3_600_000));
        timing.record_accepted();
        assert_eq!(timing.record_timeout(), None);
    }
}
