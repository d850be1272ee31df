//! A limiter of log lines that any client can cause at any rate.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A limiter of one kind of log line. It counts the lines that it suppresses.
#[derive(Debug)]
pub struct LogLimiter {
    interval: Duration,
    /// Locked briefly, and never across an await point.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    logged: Option<Instant>,
    suppressed: u64,
}

impl LogLimiter {
    /// Creates a limiter that permits one line per interval.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            state: Mutex::default(),
        }
    }

    /// Permits a line, and returns the number of lines suppressed since the last. `None` if this one is suppressed.
    pub fn permit(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        if state
            .logged
            .is_some_and(|logged| now.saturating_duration_since(logged) < self.interval)
        {
            state.suppressed += 1;
            return None;
        }
        state.logged = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limiter_permits_one_line_per_interval() {
        let limiter = LogLimiter::new(Duration::from_mins(1));
        let now = Instant::now();
        assert_eq!(limiter.permit(now), Some(0));
        assert_eq!(limiter.permit(now), None);
        assert_eq!(limiter.permit(now + Duration::from_secs(59)), None);
        assert_eq!(limiter.permit(now + Duration::from_mins(1)), Some(2));
        assert_eq!(limiter.permit(now + Duration::from_mins(5)), Some(0));
    }
}
