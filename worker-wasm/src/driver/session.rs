//! A session of the driver: frames in, updates out.

use std::rc::Rc;
use std::time::Duration;

use farsign::volunteer::{Event, Volunteer, VolunteerError};
use farsign::wire::{Capabilities, ClientFrame, Hello};
use js_sys::Uint8Array;

use super::{Driver, SharedDriver};
use crate::disconnect::Disconnect;
use crate::events::State;
use crate::socket::{SocketEvent, Stage};
use crate::worker_global::{Caches, Timer, now_ms};

const AGENT: &str = concat!("farsign-browser/", env!("CARGO_PKG_VERSION"));

/// CPU time of the browser for a task and its update, outside this worker; measured with /proc for the default model.
const BROWSER_OVERHEAD_MS: f64 = 0.6;

impl Driver {
    pub(super) fn on_event(&mut self, this: &SharedDriver, event: SocketEvent) {
        let received_ms = now_ms();
        self.last_transfer_ms = received_ms;
        self.record_idle(received_ms);
        let result = match event {
            SocketEvent::Open => {
                self.stage = Stage::Open;
                let capabilities = Capabilities {
                    deltas: true,
                    ..Capabilities::default()
                };
                let secret = self.credentials.secret;
                let token = self.credentials.token.as_deref();
                ClientFrame::hello(
                    &Hello {
                        agent: AGENT,
                        capabilities,
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
        let result = result.and_then(|()| self.work_or_wait(this));
        self.on_idle(this, received_ms, result);
    }

    /// Works on the delayed task, if there is one.
    pub(super) fn work(this: &SharedDriver) {
        let mut driver = this.borrow_mut();
        driver.set_wait(None);
        let started_ms = now_ms();
        driver.record_idle(started_ms);
        let result = driver.compute_update();
        driver.on_idle(this, started_ms, result);
    }

    /// Records the work since `started_ms`, and handles the end of the session.
    fn on_idle(&mut self, this: &SharedDriver, started_ms: f64, result: Result<(), Disconnect>) {
        self.idle_since_ms = now_ms();
        self.throttle
            .record_work(self.idle_since_ms - started_ms + BROWSER_OVERHEAD_MS);
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

    fn work_or_wait(&mut self, this: &SharedDriver) -> Result<(), Disconnect> {
        match self.throttle.delay_ms() {
            // The rest before a session's first task is over. What is owed for opening the session is added to the next.
            Some(_) if self.is_rest_due() && self.updates_in_session == 0 => self.compute_update(),
            Some(_) if self.is_rest_due() && self.task.is_some() => Err(Disconnect::Rest),
            Some(ms) if self.task.is_some() => {
                let this = Rc::clone(this);
                let delay = Duration::from_secs_f64(ms / 1000.0);
                self.set_wait(Some(Timer::set_timeout(delay, move || Self::work(&this))));
                Ok(())
            }
            _ => self.compute_update(),
        }
    }

    fn on_frame(&mut self, frame: &Uint8Array) -> Result<(), Disconnect> {
        let length = frame.length() as usize;
        self.incoming.resize(length, 0);
        frame.copy_to(&mut self.incoming);
        self.progress.bytes_received += length as f64;
        let Some(volunteer) = &mut self.volunteer else {
            return Ok(());
        };
        self.events.clear();
        if let Err(error) = volunteer.receive(&self.incoming, &mut self.events) {
            if error == VolunteerError::DatasetMismatch && !self.is_reloaded {
                // Reloaded before the next attempt, past a cache that may have returned an old list.
                (self.data, self.is_reloaded, self.caches) = (None, true, Caches::Bypassed);
                return Err(Disconnect::Retry(
                    None,
                    "The server has switched to other training data.".to_owned(),
                ));
            }
            return Err(error.into());
        }
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
                    self.progress.accepted += 1.0;
                    self.timing.record_accepted();
                }
                Event::Rejected(_) => self.progress.rejected += 1.0,
                Event::Task(task) => self.task = Some(task),
                Event::Goodbye(goodbye) => {
                    return Err(Disconnect::from_goodbye(goodbye, &mut self.timing));
                }
            }
        }
        self.send_progress(false);
        Ok(())
    }

    fn compute_update(&mut self) -> Result<(), Disconnect> {
        let (Some(task), Some(volunteer)) = (self.task.take(), &mut self.volunteer) else {
            return Ok(());
        };
        let started_ms = now_ms();
        volunteer.write_update(&task, &mut self.outgoing)?;
        self.progress.version = task.snapshot_version as f64;
        let compute_ms = now_ms() - started_ms;
        self.timing.record_update(compute_ms);
        self.updates_in_session += 1;
        self.progress.record_update(self.outgoing.len(), compute_ms);
        self.last_transfer_ms = now_ms();
        self.send();
        Ok(())
    }

    /// Sends the frame. A closing connection drops it, and its last frames and its end are events that follow.
    fn send(&self) {
        if let Some(socket) = &self.socket {
            socket.send(&self.outgoing);
        }
    }
}
