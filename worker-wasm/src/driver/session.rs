//! A session of the driver: frames in, updates out.

use std::rc::Rc;
use std::time::Duration;

use farsign::task::Task;
use farsign::volunteer::{Event, Volunteer, VolunteerError};
use farsign::wire::{ClientFrame, Hello, ServerRecord, read_server_frame};
use js_sys::Uint8Array;

use super::{Driver, SharedDriver};
use crate::disconnect::Disconnect;
use crate::events::State;
use crate::socket::{SocketEvent, Stage};
use crate::worker_global::{Timer, now_ms, unix_time_ms};

const AGENT: &str = concat!("farsign-browser/", env!("CARGO_PKG_VERSION"));

/// CPU time of the browser for a task and its update, outside this worker; measured with /proc for the default model.
pub(super) const BROWSER_OVERHEAD_MS: f64 = 0.6;

impl Driver {
    pub(super) fn on_event(&mut self, this: &SharedDriver, event: SocketEvent) {
        let received_ms = now_ms();
        self.last_transfer_ms = received_ms;
        self.record_idle(received_ms);
        let result = match event {
            SocketEvent::Open => {
                self.stage = Stage::Open;
                let secret = self.credentials.secret;
                let token = self.credentials.token.as_deref();
                ClientFrame::hello(
                    &Hello {
                        agent: AGENT,
                        shards: self.held_shards(),
                        secret,
                        token,
                    },
                    &mut self.outgoing,
                );
                self.send();
                Ok(())
            }
            SocketEvent::Frame(frame) => self.on_frame(&frame),
            SocketEvent::Closed(_) if self.stage == Stage::Opening => return self.probe(this),
            SocketEvent::Closed(code) => Err(Disconnect::from_close_code(code)),
        };
        let result = result.and_then(|()| self.work_or_wait(this, received_ms));
        self.on_idle(this, received_ms, BROWSER_OVERHEAD_MS, result);
    }

    /// Works on the first task that the volunteer holds, if there is one.
    pub(super) fn work(this: &SharedDriver) {
        let mut driver = this.borrow_mut();
        driver.set_wait(None);
        let started_ms = now_ms();
        driver.record_idle(started_ms);
        let result = driver.compute_update(this, started_ms);
        driver.on_idle(this, started_ms, BROWSER_OVERHEAD_MS, result);
    }

    /// Records the work since `started_ms` and outside this worker, and handles the end of the session.
    pub(super) fn on_idle(
        &mut self,
        this: &SharedDriver,
        started_ms: f64,
        overhead_ms: f64,
        result: Result<(), Disconnect>,
    ) {
        self.idle_since_ms = now_ms();
        self.throttle
            .record_work(self.idle_since_ms - started_ms + overhead_ms);
        match result {
            Ok(()) => {}
            Err(Disconnect::Retry(delay_ms, reason)) => {
                self.retry(this, State::Reconnecting, delay_ms, &reason);
            }
            Err(Disconnect::TooSlow(delay_ms, reason)) => {
                self.retry(this, State::TooSlow, Some(delay_ms), &reason);
            }
            Err(Disconnect::Rest) => self.rest(this),
            Err(Disconnect::End(state, reason)) => self.finish(state, Some(&reason)),
        }
    }

    /// Returns the first task that the volunteer holds; `None` without one.
    pub(super) fn next_task(&self) -> Option<Task> {
        self.volunteer.as_ref().and_then(Volunteer::next_task)
    }

    pub(super) fn work_or_wait(
        &mut self,
        this: &SharedDriver,
        started_ms: f64,
    ) -> Result<(), Disconnect> {
        if self.begun.is_some() {
            return Ok(()); // its images are on the way
        }
        if self.unacknowledged == 0
            && let Some(refused) = self.line_refused.take()
        {
            self.rest_for_line(this, refused);
            return Ok(());
        }
        // The rest before a session's first task is over. What is owed for opening the session is added to the next.
        let is_first = self.updates_in_session == 0;
        match self.throttle.delay_ms() {
            Some(_) if !is_first && self.is_rest_due() => Err(Disconnect::Rest),
            // The server sent the task early.
            Some(ms) if !is_first && self.next_task().is_some() => {
                self.work_after(this, ms);
                Ok(())
            }
            _ => self.compute_update(this, started_ms),
        }
    }

    /// Works on the next task after a delay.
    pub(super) fn work_after(&mut self, this: &SharedDriver, ms: f64) {
        let this = Rc::clone(this);
        let delay = Duration::from_secs_f64(ms / 1000.0);
        self.set_wait(Some(Timer::set_timeout(delay, move || Self::work(&this))));
    }

    fn on_frame(&mut self, frame: &Uint8Array) -> Result<(), Disconnect> {
        let length = frame.length() as usize;
        self.incoming.resize(length, 0);
        frame.copy_to(&mut self.incoming);
        self.progress.bytes_received += length as f64;
        self.line.received(unix_time_ms(), length);
        self.request_images_of_frame();
        let Some(volunteer) = &mut self.volunteer else {
            return Ok(());
        };
        self.events.clear();
        if let Err(error) = volunteer.receive(&self.incoming, &mut self.events) {
            if error == VolunteerError::DatasetMismatch && !self.is_reloaded {
                return Err(self.on_other_data());
            }
            return Err(error.into());
        }
        let mut has_task = false;
        for index in 0..self.events.len() {
            match self.events[index].clone() {
                Event::Joined => {
                    (self.is_reloaded, self.rest_ends_ms) = (false, None);
                    let volunteer = self.volunteer.as_ref();
                    if let Some(timeout_ms) = volunteer.and_then(Volunteer::task_timeout_ms) {
                        self.timing.join(timeout_ms);
                    }
                    self.backoff.succeeded();
                    self.send_state(State::Working, None, None);
                }
                Event::Accepted(_) => {
                    self.unacknowledged = self.unacknowledged.saturating_sub(1);
                    self.progress.accepted += 1.0;
                    self.timing.record_accepted();
                }
                Event::Rejected(_) => {
                    self.unacknowledged = self.unacknowledged.saturating_sub(1);
                    self.progress.rejected += 1.0;
                }
                Event::Task(task) => {
                    if !has_task {
                        self.line.record_task();
                    }
                    (has_task, self.is_rest_announced) = (true, false);
                    self.expect_held_shards(&task)?;
                }
                Event::VersionMissing(task) => {
                    self.drop_images();
                    ClientFrame::version_request(task, &mut self.outgoing);
                    self.send();
                }
                Event::Goodbye(goodbye) => {
                    self.record_unfinished_update();
                    return Err(Disconnect::from_goodbye(goodbye, &mut self.timing));
                }
            }
        }
        if has_task {
            self.announce_line_rate();
        }
        self.send_progress(false);
        Ok(())
    }

    /// Requests the images of the tasks in the frame. The data worker draws them while the version is decoded.
    fn request_images_of_frame(&mut self) {
        // A malformed frame is reported when the volunteer reads it.
        let records = read_server_frame(&self.incoming).into_iter().flatten();
        for record in records {
            if let Ok(ServerRecord::Task(task)) = record {
                self.parts.add(task);
            }
        }
        self.parts.request(&self.port);
    }

    fn expect_held_shards(&self, task: &Task) -> Result<(), VolunteerError> {
        let held = self.held_shards();
        if task.shards > held {
            return Err(VolunteerError::MissingShards {
                held: held.into(),
                expected: task.shards,
            });
        }
        Ok(())
    }

    /// Announces the rest after work of `worked_ms`, if it is long enough for a timer.
    pub(super) fn announce_rest(&mut self, worked_ms: f64) {
        let Some(ms) = self.throttle.delay_after_ms(worked_ms) else {
            return;
        };
        let mut frame = Vec::new();
        ClientFrame::rest(ms as u32, &mut frame);
        self.is_rest_announced = true;
        self.send_frame(&frame);
    }

    /// Asks for the next task now, if the server waits for the end of a rest.
    pub(super) fn end_announced_rest(&mut self) {
        if std::mem::take(&mut self.is_rest_announced) {
            let mut frame = Vec::new();
            ClientFrame::rest(0, &mut frame);
            self.send_frame(&frame);
        }
    }

    /// Sends the frame in preparation.
    pub(super) fn send(&mut self) {
        let frame = std::mem::take(&mut self.outgoing);
        self.send_frame(&frame);
        self.outgoing = frame; // its memory is reused
    }

    /// Sends a frame. A closing connection drops it, and its last frames and its end are events that follow.
    pub(super) fn send_frame(&mut self, frame: &[u8]) {
        self.line.sent(unix_time_ms(), frame.len());
        if let Some(socket) = &self.socket {
            socket.send(frame);
        }
    }
}
