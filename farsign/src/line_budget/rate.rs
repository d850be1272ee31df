//! The rate at which the connections of a volunteer use its line.
//!
//! The first half of a budget may be used at any rate, so training begins at full speed. The second half is spread over
//! the time to come: each connection states the bytes that a second of its computing may cost, and the server sends
//! larger tasks, which cost less. The rate falls with what is left, so a budget is hardly ever used up, and the processor
//! seldom rests for the line.

use super::LineUsage;

/// Part of the budget that is spread, as its inverse.
const SPREAD_DIVISOR: u64 = 2;

/// Time in which all that is left would be used at the current rate, in seconds.
const SPREAD_S: f64 = 1800.0;

/// Smallest change that is stated, as a factor.
const MIN_CHANGE: f64 = 1.25;

/// Returns the bytes a second that all connections may use of a budget of `limit` bytes an hour; `None` while more than
/// half of it is left, and without a budget.
pub fn line_rate(usage: &mut LineUsage, now_ms: u64, limit: Option<u64>) -> Option<f64> {
    let limit = limit?;
    let left = limit.saturating_sub(usage.used(now_ms));
    (left <= limit / SPREAD_DIVISOR).then(|| left as f64 / SPREAD_S)
}

/// The rate that one connection has stated, in bytes a second of computing; 0 without a limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatedRate(u32);

impl StatedRate {
    /// Begins a session, in which no rate is stated.
    pub fn begin_session(&mut self) {
        self.0 = 0;
    }

    /// Returns the rate to state, in bytes a second of computing; `None` if the stated one still holds.
    ///
    /// `rate` is that of all connections, from [`line_rate`]. They compute on `cores` cores: their number times the
    /// fraction of a core that each uses, above 0.
    pub fn restate(&mut self, rate: Option<f64>, cores: f64) -> Option<u32> {
        let rate = rate.map_or(0, |rate| ((rate / cores) as u32).max(1));
        let is_same_kind = (rate > 0) == (self.0 > 0);
        let change = f64::from(rate.max(self.0)) / f64::from(rate.min(self.0).max(1));
        if is_same_kind && change < MIN_CHANGE {
            return None;
        }
        self.0 = rate;
        Some(rate)
    }
}
