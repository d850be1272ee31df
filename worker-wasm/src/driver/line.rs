//! The line budget in the life cycle of the driver: permission before a session and before each task.

use farsign::wire::ClientFrame;

use super::session::BROWSER_OVERHEAD_MS;
use super::{Driver, SharedDriver};
use crate::events::{State, WorkerEvent};
use crate::line::{Permission, Refused};
use crate::worker_global::{now_ms, unix_time_ms};

impl Driver {
    /// Sets the line budget in bytes an hour, `None` without a budget, and the number of workers that share it. Another
    /// budget ends the rest for the old one.
    pub fn set_line_budget(this: &SharedDriver, limit: Option<f64>, workers: u32) {
        let mut driver = this.borrow_mut();
        let is_resting = driver.rest_ends_ms.is_some();
        if driver.line.set_limit(limit, workers) && is_resting {
            drop(driver);
            Self::advance(this);
        }
    }

    /// Continues after the page's reply to a request for a lease: `slots` are the bytes of all tabs, by minute.
    pub fn receive_line_usage(this: &SharedDriver, slots: &[f64]) {
        let mut driver = this.borrow_mut();
        let Some(reply) = driver.line.receive_usage(slots, unix_time_ms()) else {
            return;
        };
        if !driver.is_started {
            driver.line.close();
        }
        driver.report_line();
        driver.load(); // the reply may allow the next shard
        match reply {
            _ if !driver.is_started => {}
            Err(refused) if driver.unacknowledged > 0 => driver.line_refused = Some(refused),
            Err(refused) => driver.rest_for_line(this, refused),
            Ok(()) if driver.next_task().is_some() => {
                let started_ms = now_ms();
                driver.record_idle(started_ms);
                let result = driver.work_or_wait(this, started_ms);
                driver.on_idle(this, started_ms, BROWSER_OVERHEAD_MS, result);
            }
            Ok(()) => {
                drop(driver);
                Self::advance(this);
            }
        }
    }

    /// Returns whether the line budget allows a session. If the page must be asked, its reply continues.
    pub(super) fn may_open_line(&mut self) -> bool {
        let permission = self.line.may_open(unix_time_ms());
        self.request(permission)
    }

    /// Returns whether the line budget allows the received task. If the page must be asked, its reply continues.
    pub(super) fn may_compute_on_line(&mut self) -> bool {
        let permission = self.line.may_compute(unix_time_ms());
        self.request(permission)
    }

    /// States what a second of computing may cost the line, if it has changed.
    pub(super) fn announce_line_rate(&mut self) {
        let effort = self.throttle.effort();
        if let Some(rate) = self.line.restate_rate(unix_time_ms(), effort) {
            ClientFrame::line_rate(rate, &mut self.outgoing);
            self.send();
        }
    }

    fn request(&self, permission: Permission) -> bool {
        if let Permission::Requested(report) = permission {
            self.send_event(&WorkerEvent::Line(report));
        }
        permission == Permission::Granted
    }

    /// Leaves until the budget allows another session. The last update was acknowledged, so nothing is lost.
    pub(super) fn rest_for_line(&mut self, this: &SharedDriver, refused: Refused) {
        self.disconnect();
        let delay_ms = (refused.resume_at_ms - unix_time_ms()).max(0.0);
        self.rest_ends_ms = Some(now_ms() + delay_ms);
        self.send_progress(true);
        self.send_state(State::LineBudgetUsed, None, Some(delay_ms as u32));
        self.advance_after(this, delay_ms as u32);
    }

    /// Sends the page the bytes that it has not counted.
    pub(super) fn report_line(&mut self) {
        if let Some(report) = self.line.take_report(unix_time_ms()) {
            self.send_event(&WorkerEvent::Line(report));
        }
    }
}
