//! The line budget of a fleet, which all its workers share.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use farsign::line_budget::{
    BudgetUsed, LineAllowance, LineUsage, OPENING_BYTES, StatedRate, Transfer, download_at_ms,
    lease, line_rate, websocket_frame_bytes,
};

/// The bytes that a fleet sends and receives.
///
/// A worker counts its frames with their WebSocket headers, and an estimate of each request. The time since the start of
/// the program is used, not the time of day, which may be set.
#[derive(Debug)]
pub struct Line {
    started: Instant,
    traffic: Mutex<Traffic>,
}

#[derive(Debug, Default)]
struct Traffic {
    usage: LineUsage,
    /// Bytes since the start.
    total: u64,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            traffic: Mutex::default(),
        }
    }
}

impl Line {
    /// Returns the bytes since the start.
    pub fn total_bytes(&self) -> u64 {
        self.with_traffic(|traffic, _| traffic.total)
    }

    /// Returns the bytes of the last hour, with those that workers have leased.
    pub fn used_bytes(&self) -> u64 {
        self.with_traffic(|traffic, now_ms| traffic.usage.used(now_ms))
    }

    /// Returns the time until `bytes` of further training data fit into the half of a budget of `limit` bytes an hour that
    /// they may use; `None` stands for no budget. Zero if they fit now.
    pub(crate) fn wait_for_download(&self, limit: Option<u64>, bytes: u64) -> Duration {
        let Some(limit) = limit else {
            return Duration::ZERO;
        };
        self.with_traffic(|traffic, now_ms| {
            let resume_at_ms = download_at_ms(&mut traffic.usage, now_ms, limit, bytes);
            Duration::from_millis(resume_at_ms.saturating_sub(now_ms))
        })
    }

    /// Counts a download.
    pub(crate) fn count_download(&self, bytes: u64) {
        self.with_traffic(|traffic, now_ms| {
            traffic.total = traffic.total.saturating_add(bytes);
            traffic.usage.add(now_ms, bytes);
        });
    }

    fn with_traffic<T>(&self, action: impl FnOnce(&mut Traffic, u64) -> T) -> T {
        let now_ms = self.started.elapsed().as_millis() as u64;
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        action(&mut traffic, now_ms)
    }
}

/// The part of one worker in the line budget of its fleet.
#[derive(Debug)]
pub(crate) struct WorkerLine<'a> {
    line: &'a Line,
    /// Bytes an hour; `None` without a budget.
    limit: Option<u64>,
    allowance: LineAllowance,
    /// Cores on which all workers compute: their number times the fraction of a core that each uses.
    cores: f64,
    stated_rate: StatedRate,
}

impl<'a> WorkerLine<'a> {
    pub fn new(line: &'a Line, limit: Option<u64>, cores: f64) -> Self {
        Self {
            line,
            limit,
            allowance: LineAllowance::default(),
            cores,
            stated_rate: StatedRate::default(),
        }
    }

    /// Prepares for a session.
    ///
    /// # Errors
    /// Returns the time until the budget allows a session.
    pub fn open(&mut self) -> Result<(), Duration> {
        self.lease(self.allowance.needed_to_open())?;
        self.allowance.begin_session();
        self.stated_rate.begin_session();
        self.transfer(OPENING_BYTES);
        Ok(())
    }

    /// Counts a sent frame.
    pub fn sent(&mut self, payload_bytes: usize) {
        self.transfer(websocket_frame_bytes(payload_bytes, true));
    }

    /// Counts a received frame.
    pub fn received(&mut self, payload_bytes: usize) {
        self.transfer(websocket_frame_bytes(payload_bytes, false));
    }

    fn transfer(&mut self, bytes: u64) {
        self.line.with_traffic(|traffic, now_ms| {
            let Transfer {
                uncounted,
                returned,
            } = self.allowance.transfer(now_ms, bytes);
            traffic.total = traffic.total.saturating_add(bytes);
            traffic.usage.give_back(returned);
            traffic.usage.add(now_ms, uncounted);
        });
    }

    /// Prepares for the received task. The first task of a session is always computed; the session was opened for it.
    ///
    /// # Errors
    /// Returns the time until the budget allows the task.
    pub fn take_task(&mut self) -> Result<(), Duration> {
        if self.allowance.record_task() {
            return Ok(());
        }
        self.lease(self.allowance.needed_for_task())
    }

    /// Returns the rate to state to the server, in bytes a second of computing; `None` if the stated one still holds.
    pub fn restate_rate(&mut self) -> Option<u32> {
        let limit = self.limit;
        let rate = self
            .line
            .with_traffic(|traffic, now_ms| line_rate(&mut traffic.usage, now_ms, limit));
        self.stated_rate.restate(rate, self.cores)
    }

    /// Gives back what is left of the lease after a session.
    pub fn close(&mut self) {
        let left = self.allowance.end_lease();
        self.line
            .with_traffic(|traffic, _| traffic.usage.give_back(left));
    }

    fn lease(&mut self, needed: u64) -> Result<(), Duration> {
        if self.limit.is_none() || self.allowance.left() >= needed {
            return Ok(());
        }
        self.line.with_traffic(|traffic, now_ms| {
            traffic.usage.give_back(self.allowance.end_lease());
            let leased = lease(&mut traffic.usage, now_ms, self.limit, needed);
            let wait =
                |used: BudgetUsed| Duration::from_millis(used.resume_at_ms.saturating_sub(now_ms));
            self.allowance.begin_lease(leased.map_err(wait)?);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_budget() {
        let line = Line::default();
        let limit = 2_000_000;
        let mut workers = [(); 3].map(|()| WorkerLine::new(&line, Some(limit), 3.0));
        let mut tasks = 0;
        for worker in &mut workers {
            worker.open().expect("a full bucket");
        }
        let mut rests = 0;
        while rests < workers.len() {
            rests = 0;
            for worker in &mut workers {
                worker.received(20_000);
                tasks += 1;
                rests += usize::from(worker.take_task().is_err());
            }
        }
        assert!(line.total_bytes() <= limit + 3 * 20_100, "{tasks} tasks");
        assert!(tasks > 80, "{tasks} tasks");
        let rest = workers[0].open().expect_err("an empty bucket");
        assert!(rest > Duration::from_mins(59), "{rest:?}");
    }

    #[test]
    fn closed_session_returns_its_lease() {
        let line = Line::default();
        let mut worker = WorkerLine::new(&line, Some(100_000_000), 1.0);
        worker.open().expect("a full bucket");
        worker.sent(94);
        worker.close();
        assert_eq!(line.used_bytes(), line.total_bytes());
        assert_eq!(line.total_bytes(), 1_100);
    }

    #[test]
    fn no_budget_counts_all_bytes() {
        let line = Line::default();
        let mut worker = WorkerLine::new(&line, None, 1.0);
        worker.open().expect("no budget");
        worker.received(1 << 30);
        worker.take_task().expect("no budget");
        assert_eq!(worker.restate_rate(), None);
        assert!(line.used_bytes() > 1 << 30);
        assert_eq!(line.used_bytes(), line.total_bytes());
    }

    #[test]
    fn second_half_states_rate() {
        let line = Line::default();
        let mut worker = WorkerLine::new(&line, Some(36_000_000), 2.0);
        worker.open().expect("a full bucket");
        assert_eq!(worker.restate_rate(), None);
        worker.received(18_000_000);
        let rate = worker.restate_rate().expect("a limit");
        assert!((4_980..=5_000).contains(&rate), "{rate}");
        worker.received(1_000_000);
        assert_eq!(worker.restate_rate(), None, "about the same");
        worker.received(13_000_000);
        let rate = worker.restate_rate().expect("another limit");
        assert!((1_080..=1_112).contains(&rate), "{rate}");
        worker.close();
        worker.open().expect("a part of the bucket");
        assert!(worker.restate_rate().is_some(), "another session");
    }
}
