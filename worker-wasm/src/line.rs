//! The part of one worker in the line budget of a browser, which all its tabs share.
//!
//! The page keeps the bytes of the last hour, because a worker has no storage that all tabs see. It only adds numbers;
//! the rules are in [`farsign::line_budget`].
//!
//! ```text
//!   worker --{spent, lease}--> page: adds both to what is stored          worker <--slots of all tabs-- page
//! ```
//!
//! A lease is stored before it is allowed. So of two workers that lease the last bytes at the same time, at least one
//! sees the lease of the other.

use farsign::line_budget::{
    BudgetUsed, LineAllowance, LineUsage, OPENING_BYTES, lease, lease_request,
    websocket_frame_bytes,
};

/// Bytes for the page to count. `spent` is negative if unused bytes of a lease return.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineReport {
    /// Transferred bytes that no lease contains.
    pub spent: f64,
    /// Bytes of a new lease; 0 without a request.
    pub lease: f64,
}

/// Whether a worker may transfer bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Permission {
    Granted,
    /// The page must count this first, and reply.
    Requested(LineReport),
    /// The page has not replied yet.
    Pending,
}

/// A lease that the page has counted, but the budget does not allow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refused {
    /// Time of the next attempt, in ms since the epoch.
    pub resume_at_ms: f64,
}

/// The traffic of one worker.
#[derive(Debug, Default)]
pub struct WorkerLine {
    /// Bytes an hour; `None` without a budget.
    limit: Option<u64>,
    allowance: LineAllowance,
    /// Transferred bytes that the page has not counted, less bytes that it has counted and that were not transferred.
    uncounted: i64,
    requested: Option<Request>,
    /// Whether the received task is the first of its session, for which the session was opened.
    is_first_task: bool,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    /// Bytes that the worker needs.
    needed: u64,
    /// Bytes that the page was asked to count.
    bytes: u64,
}

impl WorkerLine {
    /// Sets the budget in bytes an hour; `None` without a budget. Returns whether it changed.
    pub fn set_limit(&mut self, limit: Option<f64>) -> bool {
        let limit = limit.map(|bytes| bytes as u64);
        std::mem::replace(&mut self.limit, limit) != limit
    }

    /// Counts the opening of a session.
    pub fn open(&mut self) {
        self.allowance.begin_session();
        self.transfer(OPENING_BYTES);
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
        self.uncounted += self.allowance.transfer(bytes) as i64;
    }

    /// Records a received task.
    pub fn record_task(&mut self) {
        self.is_first_task = self.allowance.record_task();
    }

    /// Returns whether a session may be opened.
    pub fn may_open(&mut self) -> Permission {
        self.request(self.allowance.needed_to_open())
    }

    /// Returns whether the received task may be computed.
    pub fn may_compute(&mut self) -> Permission {
        if self.is_first_task {
            return Permission::Granted;
        }
        self.request(self.allowance.needed_for_task())
    }

    fn request(&mut self, needed: u64) -> Permission {
        let Some(limit) = self.limit else {
            return Permission::Granted;
        };
        let missing = needed.saturating_sub(self.allowance.left());
        if self.requested.is_some() {
            return Permission::Pending;
        }
        if missing == 0 {
            return Permission::Granted;
        }
        let bytes = lease_request(limit, missing);
        self.requested = Some(Request {
            needed: missing,
            bytes,
        });
        Permission::Requested(LineReport {
            spent: std::mem::take(&mut self.uncounted) as f64,
            lease: bytes as f64,
        })
    }

    /// Handles the page's reply to a request: the bytes of all tabs, as pairs of a minute and its bytes, this request
    /// included. `None` if there was no request.
    ///
    /// # Errors
    /// Returns an error if the budget does not allow the lease. The next report returns it.
    pub fn receive_usage(&mut self, slots: &[f64], now_ms: f64) -> Option<Result<(), Refused>> {
        let Request { needed, bytes } = self.requested.take()?;
        let pairs = slots
            .chunks_exact(2)
            .map(|pair| (pair[0] as u64, pair[1] as u64));
        let mut usage = LineUsage::from_slots(pairs);
        usage.give_back(bytes);
        let leased = lease(&mut usage, now_ms as u64, self.limit, needed);
        let granted = leased.unwrap_or_default().min(bytes);
        self.allowance.add(granted);
        self.uncounted -= (bytes - granted) as i64;
        let refused = |used: BudgetUsed| Refused {
            resume_at_ms: used.resume_at_ms as f64,
        };
        Some(leased.map(|_| ()).map_err(refused))
    }

    /// Gives the rest of the lease back.
    pub fn close(&mut self) {
        self.uncounted -= self.allowance.take_left() as i64;
    }

    /// Returns the bytes that the page has not counted; `None` if there are none.
    pub fn take_report(&mut self) -> Option<LineReport> {
        let spent = std::mem::take(&mut self.uncounted) as f64;
        (spent != 0.0).then_some(LineReport { spent, lease: 0.0 })
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    const LIMIT: f64 = 2_000_000.0;
    const NOW_MS: f64 = 1.75e12;

    /// The page: what it has stored, in one minute.
    #[derive(Default)]
    struct Page(f64);

    impl Page {
        fn add(&mut self, report: LineReport) {
            self.0 += report.spent + report.lease;
        }

        fn slots(&self) -> [f64; 2] {
            [(NOW_MS / 60_000.0).floor(), self.0]
        }

        /// Counts a request and replies, as the page does.
        fn settle(
            &mut self,
            line: &mut WorkerLine,
            permission: Permission,
        ) -> Result<(), Refused> {
            match permission {
                Permission::Granted => return Ok(()),
                Permission::Requested(report) => self.add(report),
                Permission::Pending => panic!("the page has replied to every request"),
            }
            let reply = line.receive_usage(&self.slots(), NOW_MS);
            reply.expect("a request")
        }
    }

    fn limited() -> WorkerLine {
        let mut line = WorkerLine::default();
        assert!(line.set_limit(Some(LIMIT)));
        line
    }

    /// Opens a session and receives tasks with this many bytes until the budget is used. Returns their number.
    fn work(page: &mut Page, line: &mut WorkerLine, bytes: usize) -> (u32, Refused) {
        let mut tasks = 0;
        loop {
            line.received(bytes);
            line.record_task();
            tasks += 1;
            let permission = line.may_compute();
            if let Err(refused) = page.settle(line, permission) {
                line.close();
                line.take_report().into_iter().for_each(|report| page.add(report));
                return (tasks, refused);
            }
        }
    }

    #[test]
    fn cores_share_budget() {
        let mut page = Page::default();
        let mut lines = [limited(), limited()];
        let mut total = 0.0;
        for line in &mut lines {
            let permission = line.may_open();
            page.settle(line, permission).expect("a full bucket");
            line.open();
            total += OPENING_BYTES as f64;
        }
        for line in &mut lines {
            let (tasks, refused) = work(&mut page, line, 30_000);
            total += f64::from(tasks) * 30_004.0;
            assert!(refused.resume_at_ms > NOW_MS + 3_500_000.0, "{refused:?}");
        }
        assert!(total <= LIMIT + 2.0 * 30_004.0, "{total} bytes");
        assert!(total > 0.9 * LIMIT, "{total} bytes");
        assert!((page.0 - total).abs() < 1.0, "{} counted of {total}", page.0);
    }

    #[test]
    fn first_task_is_computed() {
        let mut page = Page::default();
        let mut line = limited();
        let permission = line.may_open();
        page.settle(&mut line, permission).expect("a full bucket");
        line.open();
        line.received(3 * LIMIT as usize);
        line.record_task();
        assert_eq!(line.may_compute(), Permission::Granted);
        line.sent(10);
        line.received(10);
        line.record_task();
        let permission = line.may_compute();
        page.settle(&mut line, permission).expect_err("an empty bucket");
    }

    #[test]
    fn second_request_waits_for_reply() {
        let mut line = limited();
        assert!(matches!(line.may_open(), Permission::Requested(_)));
        assert_eq!(line.may_open(), Permission::Pending);
        let used = [(NOW_MS / 60_000.0).floor(), f64::MAX];
        let refused = line.receive_usage(&used, NOW_MS).expect("a request");
        assert!(refused.is_err());
        assert_eq!(line.receive_usage(&[], NOW_MS), None);
    }

    #[test]
    fn damaged_slots_are_read() {
        for slots in [
            &[][..],
            &[1.0],
            &[f64::NAN, f64::NAN],
            &[-5.0, -7.0],
            &[f64::INFINITY, 1.0, 2.0],
        ] {
            let mut line = limited();
            _ = line.may_open();
            assert!(line.receive_usage(slots, NOW_MS).is_some(), "{slots:?}");
        }
    }

    #[test]
    fn no_budget_reports_all_bytes() {
        let mut line = WorkerLine::default();
        assert_eq!(line.may_open(), Permission::Granted);
        assert_eq!(line.take_report(), None);
        line.open();
        line.sent(94);
        let spent = line.take_report().expect("bytes").spent;
        assert_eq!(spent, OPENING_BYTES as f64 + 100.0);
        assert_eq!(line.take_report(), None);
    }
}
