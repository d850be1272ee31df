//! The part of one worker in the line budget of a browser, which all its tabs share.
//!
//! The page keeps the bytes of the last hour, because a worker has no storage that all tabs see. It only adds numbers;
//! the rules are in [`farsign::line_budget`].
//!
//! ```text
//!   worker --{spent, lease, returned}--> page: adds them to what is stored     worker <--slots of all tabs-- page
//! ```
//!
//! A lease is stored before it is allowed. So of two workers that lease the last bytes at the same time, at least one
//! sees the lease of the other.

use farsign::line_budget::{
    BudgetUsed, Leased, LineAllowance, LineUsage, OPENING_BYTES, StatedRate, Transfer,
    download_at_ms, lease, lease_request, line_rate, slot_of, websocket_frame_bytes,
};
use serde::Serialize;

/// Bytes for the page to count. Whole numbers are floats because JavaScript has no other numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LineReport {
    /// The current minute, since the epoch.
    pub minute: f64,
    /// Transferred bytes that no lease of this minute contains.
    pub spent: f64,
    /// Bytes of a new lease; 0 without a request.
    pub lease: f64,
    /// Bytes of the last lease that no longer count in its minute.
    pub returned: f64,
    /// The minute of that lease.
    pub leased_minute: f64,
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
    /// The bytes of all tabs at the page's last reply. `None` before the first.
    usage: Option<LineUsage>,
    /// What the page has not counted.
    transfer: Transfer,
    requested: Option<Request>,
    /// Number of workers of the tab; 0 counts as 1.
    workers: u32,
    stated_rate: StatedRate,
    /// Whether the received task is the first of its session, for which the session was opened.
    is_first_task: bool,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    /// Bytes that the worker needs.
    needed: u64,
    /// Bytes that the page was asked to count.
    leased: Leased,
}

impl WorkerLine {
    /// Sets the budget in bytes an hour, `None` without a budget, and the number of workers that share it. Returns whether
    /// the budget changed.
    pub fn set_limit(&mut self, limit: Option<f64>, workers: u32) -> bool {
        self.workers = workers;
        let limit = limit.map(|bytes| bytes as u64);
        std::mem::replace(&mut self.limit, limit) != limit
    }

    /// Counts the opening of a session.
    pub fn open(&mut self, now_ms: f64) {
        self.allowance.begin_session();
        self.stated_rate.begin_session();
        self.transfer(now_ms, OPENING_BYTES);
    }

    /// Counts a sent frame.
    pub fn sent(&mut self, now_ms: f64, payload_bytes: usize) {
        self.transfer(now_ms, websocket_frame_bytes(payload_bytes, true));
    }

    /// Counts a received frame.
    pub fn received(&mut self, now_ms: f64, payload_bytes: usize) {
        self.transfer(now_ms, websocket_frame_bytes(payload_bytes, false));
    }

    fn transfer(&mut self, now_ms: f64, bytes: u64) {
        let Transfer {
            uncounted,
            returned,
        } = self.allowance.transfer(now_ms as u64, bytes);
        self.transfer.uncounted += uncounted;
        self.give_back(returned);
    }

    /// Notes bytes of the only lease that the page has not recovered.
    fn give_back(&mut self, returned: Leased) {
        if returned.bytes > 0 {
            self.transfer.returned.slot = returned.slot;
            self.transfer.returned.bytes += returned.bytes;
        }
    }

    /// Records a received task.
    pub fn record_task(&mut self) {
        self.is_first_task = self.allowance.record_task();
    }

    /// Returns whether a session may be opened.
    pub fn may_open(&mut self, now_ms: f64) -> Permission {
        self.request(now_ms, self.allowance.needed_to_open())
    }

    /// Returns whether the received task may be computed.
    pub fn may_compute(&mut self, now_ms: f64) -> Permission {
        if self.is_first_task {
            return Permission::Granted;
        }
        self.request(now_ms, self.allowance.needed_for_task())
    }

    fn request(&mut self, now_ms: f64, needed: u64) -> Permission {
        let Some(limit) = self.limit else {
            return Permission::Granted;
        };
        if self.requested.is_some() {
            return Permission::Pending;
        }
        if self.allowance.left() >= needed {
            return Permission::Granted;
        }
        let leased = Leased::at(now_ms as u64, lease_request(limit, needed));
        self.requested = Some(Request { needed, leased });
        self.close();
        Permission::Requested(self.report(now_ms, leased.bytes))
    }

    /// Handles the page's reply to a request: the bytes of all tabs, as pairs of a minute and its bytes, this request
    /// included. `None` if there was no request.
    ///
    /// # Errors
    /// Returns an error if the budget does not allow the lease. The next report returns it.
    pub fn receive_usage(&mut self, slots: &[f64], now_ms: f64) -> Option<Result<(), Refused>> {
        let Request { needed, leased } = self.requested.take()?;
        let pairs = slots
            .chunks_exact(2)
            .map(|pair| (pair[0] as u64, pair[1] as u64));
        let mut usage = LineUsage::from_slots(pairs);
        usage.give_back(leased);
        let result = lease(&mut usage, now_ms as u64, self.limit, needed);
        self.usage = Some(usage.clone());
        let bytes = result.unwrap_or_default().bytes.min(leased.bytes);
        self.allowance.begin_lease(Leased { bytes, ..leased });
        self.give_back(Leased {
            bytes: leased.bytes - bytes,
            ..leased
        });
        let refused = |used: BudgetUsed| Refused {
            resume_at_ms: used.resume_at_ms as f64,
        };
        Some(result.map(|_| ()).map_err(refused))
    }

    /// Returns whether `bytes` of further training data fit into the part of the budget that they may use, as far as the
    /// page's last reply shows.
    pub fn may_download(&self, now_ms: f64, bytes: u64) -> bool {
        let now_ms = now_ms as u64;
        match (self.limit, self.usage.clone()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(limit), Some(mut usage)) => {
                download_at_ms(&mut usage, now_ms, limit, bytes) <= now_ms
            }
        }
    }

    /// Returns the rate to state to the server, in bytes a second of computing on this fraction of a core; `None` if the
    /// stated one still holds.
    pub fn restate_rate(&mut self, now_ms: f64, effort: f64) -> Option<u32> {
        let usage = self.usage.as_mut();
        let rate = usage.and_then(|usage| line_rate(usage, now_ms as u64, self.limit));
        let cores = f64::from(self.workers.max(1)) * effort;
        self.stated_rate.restate(rate, cores)
    }

    /// Gives the rest of the lease back.
    pub fn close(&mut self) {
        let left = self.allowance.end_lease();
        self.give_back(left);
    }

    /// Returns the bytes that the page has not counted; `None` if there are none.
    pub fn take_report(&mut self, now_ms: f64) -> Option<LineReport> {
        (self.transfer != Transfer::default()).then(|| self.report(now_ms, 0))
    }

    /// Returns the bytes that the page has not counted, and those of a new lease.
    fn report(&mut self, now_ms: f64, leased_bytes: u64) -> LineReport {
        let transfer = std::mem::take(&mut self.transfer);
        LineReport {
            minute: slot_of(now_ms as u64) as f64,
            spent: transfer.uncounted as f64,
            lease: leased_bytes as f64,
            returned: transfer.returned.bytes as f64,
            leased_minute: transfer.returned.slot as f64,
        }
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
            assert_eq!(report.minute, minute(), "{report:?}");
            if report.returned > 0.0 {
                assert_eq!(report.leased_minute, minute(), "{report:?}");
            }
            self.0 += report.spent + report.lease - report.returned;
        }

        fn slots(&self) -> [f64; 2] {
            [minute(), self.0]
        }

        /// Counts a request and replies, as the page does.
        fn settle(&mut self, line: &mut WorkerLine, permission: Permission) -> Result<(), Refused> {
            match permission {
                Permission::Granted => return Ok(()),
                Permission::Requested(report) => self.add(report),
                Permission::Pending => panic!("the page has replied to every request"),
            }
            let reply = line.receive_usage(&self.slots(), NOW_MS);
            reply.expect("a request")
        }
    }

    fn minute() -> f64 {
        (NOW_MS / 60_000.0).floor()
    }

    fn limited() -> WorkerLine {
        let mut line = WorkerLine::default();
        assert!(line.set_limit(Some(LIMIT), 1));
        line
    }

    /// Opens a session and receives tasks with this many bytes until the budget is used. Returns their number.
    fn work(page: &mut Page, line: &mut WorkerLine, bytes: usize) -> (u32, Refused) {
        let mut tasks = 0;
        loop {
            line.received(NOW_MS, bytes);
            line.record_task();
            tasks += 1;
            let permission = line.may_compute(NOW_MS);
            if let Err(refused) = page.settle(line, permission) {
                line.close();
                line.take_report(NOW_MS)
                    .into_iter()
                    .for_each(|report| page.add(report));
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
            let permission = line.may_open(NOW_MS);
            page.settle(line, permission).expect("a full bucket");
            line.open(NOW_MS);
            total += OPENING_BYTES as f64;
        }
        for line in &mut lines {
            let (tasks, refused) = work(&mut page, line, 30_000);
            total += f64::from(tasks) * 30_004.0;
            assert!(refused.resume_at_ms > NOW_MS + 3_500_000.0, "{refused:?}");
        }
        assert!(total <= LIMIT + 2.0 * 30_004.0, "{total} bytes");
        assert!(total > 0.9 * LIMIT, "{total} bytes");
        assert!(
            (page.0 - total).abs() < 1.0,
            "{} counted of {total}",
            page.0
        );
    }

    #[test]
    fn first_task_is_computed() {
        let mut page = Page::default();
        let mut line = limited();
        let permission = line.may_open(NOW_MS);
        page.settle(&mut line, permission).expect("a full bucket");
        line.open(NOW_MS);
        line.received(NOW_MS, 3 * LIMIT as usize);
        line.record_task();
        assert_eq!(line.may_compute(NOW_MS), Permission::Granted);
        line.sent(NOW_MS, 10);
        line.received(NOW_MS, 10);
        line.record_task();
        let permission = line.may_compute(NOW_MS);
        page.settle(&mut line, permission)
            .expect_err("an empty bucket");
    }

    #[test]
    fn second_request_waits_for_reply() {
        let mut line = limited();
        assert!(matches!(line.may_open(NOW_MS), Permission::Requested(_)));
        assert_eq!(line.may_open(NOW_MS), Permission::Pending);
        let used = [minute(), f64::MAX];
        let refused = line.receive_usage(&used, NOW_MS).expect("a request");
        assert!(refused.is_err());
        assert_eq!(line.receive_usage(&[], NOW_MS), None);
    }

    #[test]
    fn shards_use_half_of_budget() {
        let mut line = limited();
        assert!(!line.may_download(NOW_MS, 200_000), "usage is unknown");
        for (used, is_allowed) in [(0.0, true), (0.79e6, true), (0.81e6, false)] {
            let Permission::Requested(report) = line.may_open(NOW_MS) else {
                panic!("a session without a lease");
            };
            _ = line.receive_usage(&[minute(), used + report.lease], NOW_MS);
            line.close();
            let leased = line.usage.clone().expect("a reply").used(NOW_MS as u64) as f64 - used;
            assert!(leased < 0.01 * LIMIT, "{leased}");
            assert_eq!(line.may_download(NOW_MS, 190_000), is_allowed, "{used}");
        }
        _ = line.set_limit(None, 1);
        assert!(line.may_download(NOW_MS, u64::MAX), "no budget");
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
            _ = line.may_open(NOW_MS);
            assert!(line.receive_usage(slots, NOW_MS).is_some(), "{slots:?}");
        }
    }

    #[test]
    fn no_budget_reports_all_bytes() {
        let mut line = WorkerLine::default();
        assert_eq!(line.may_open(NOW_MS), Permission::Granted);
        assert_eq!(line.take_report(NOW_MS), None);
        line.open(NOW_MS);
        line.sent(NOW_MS, 94);
        let spent = line.take_report(NOW_MS).expect("bytes").spent;
        assert_eq!(spent, OPENING_BYTES as f64 + 100.0);
        assert_eq!(line.take_report(NOW_MS), None);
    }
}
