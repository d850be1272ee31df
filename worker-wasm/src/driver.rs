//! Drives a volunteer: loads data, connects, trains, throttles and reconnects.
//!
//! ```text
//!   idle --start--> loading data --> connecting --> working --pause--> paused --start--> connecting
//!                        ^               ^             |
//!                        +-- wait <------+-- wait <----+ connection lost          stop, finished, ejected, failed: end
//! ```
//!
//! The [`Throttle`] sets the delay between two tasks.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use farsign::backoff::Backoff;
use farsign::dataset::Dataset;
use farsign::task::{Secret, Task};
use farsign::volunteer::{Event, MAX_TASK_DELAY_MS, Volunteer, VolunteerError};
use farsign::wire::{Capabilities, ClientFrame, Hello};
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;

use crate::data;
use crate::disconnect::{Disconnect, reason_not_opened};
use crate::events::{Progress, State, WorkerEvent};
use crate::socket::{Socket, SocketEvent, Stage};
use crate::throttle::Throttle;
use crate::worker_global::{Timer, drop_after_event, now_ms};

const AGENT: &str = concat!("farsign-browser/", env!("CARGO_PKG_VERSION"));

/// Minimum time between two progress events. The page redraws less often.
const PROGRESS_INTERVAL_MS: f64 = 250.0;

/// A server responds to an update within its longest throttle delay and the transfer time. After this much longer, the
/// server is gone or this device has slept.
const IDLE_TIMEOUT: Duration = Duration::from_millis(MAX_TASK_DELAY_MS + 45_000);

/// Time for the response that shows whether the server is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(8);

/// CPU time of the browser for a task and its update, outside this worker; measured with /proc for the default model.
const BROWSER_OVERHEAD_MS: f64 = 0.6;

/// The state of a volunteer. Events arrive through `Rc<RefCell<Driver>>`, one at a time.
#[derive(Debug)]
pub struct Driver {
    on_event: js_sys::Function,
    url: String,
    credentials: Credentials,
    /// Set between start and pause, stop or the end of the session.
    is_started: bool,
    is_loading: bool,
    /// Set after the data was reloaded because the server trains on other data.
    is_reloaded: bool,
    data: Option<Arc<Dataset>>,
    volunteer: Option<Volunteer>,
    socket: Option<Socket>,
    stage: Stage,
    backoff: Backoff,
    /// Runs until the next attempt, or until the idle check.
    timer: Option<Timer>,
    /// Earliest time of the next attempt that the server accepts.
    retry_not_before_ms: f64,
    /// Time of the last transfer in either direction.
    last_transfer_ms: f64,
    throttle: Throttle,
    idle_since_ms: f64,
    /// A task that is delayed by the throttle.
    task: Option<Task>,
    wait: Option<Timer>,
    progress: Progress,
    last_progress_ms: f64,
    /// Buffers that every frame reuses.
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    events: Vec<Event>,
}

/// The credentials for a server.
#[derive(Debug, Default)]
pub struct Credentials {
    /// Identifies the volunteer across sessions.
    pub secret: Option<Secret>,
    /// The server's join token.
    pub token: Option<String>,
}

type SharedDriver = Rc<RefCell<Driver>>;

impl Driver {
    pub fn new(on_event: js_sys::Function) -> SharedDriver {
        Rc::new(RefCell::new(Self {
            on_event,
            url: String::new(),
            credentials: Credentials::default(),
            is_started: false,
            is_loading: false,
            is_reloaded: false,
            data: None,
            volunteer: None,
            socket: None,
            stage: Stage::default(),
            backoff: Backoff::default(),
            timer: None,
            retry_not_before_ms: 0.0,
            last_transfer_ms: 0.0,
            throttle: Throttle::default(),
            idle_since_ms: 0.0,
            task: None,
            wait: None,
            progress: Progress::default(),
            last_progress_ms: f64::NEG_INFINITY,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            events: Vec::new(),
        }))
    }

    pub fn start(this: &SharedDriver, url: String, credentials: Credentials) {
        {
            let mut driver = this.borrow_mut();
            if driver.is_started {
                return;
            }
            driver.is_started = true;
            driver.url = url;
            driver.credentials = credentials;
        }
        Self::advance(this);
    }

    pub fn pause(this: &SharedDriver) {
        this.borrow_mut().finish(State::Paused, None);
    }

    pub fn stop(this: &SharedDriver) {
        this.borrow_mut().finish(State::Stopped, None);
    }

    /// Sets the fraction of a core, and ends the current delay.
    pub fn set_effort(this: &SharedDriver, effort: f64) {
        this.borrow_mut().throttle.set_effort(effort);
        Self::work(this);
    }

    /// Checks the connection now instead of at the next timer.
    pub fn wake(this: &SharedDriver) {
        let mut driver = this.borrow_mut();
        if driver.socket.is_some() {
            driver.check_idle_timeout(this);
        } else if driver.is_started && now_ms() >= driver.retry_not_before_ms {
            drop(driver);
            Self::advance(this);
        }
    }

    /// Takes the next step towards training.
    fn advance(this: &SharedDriver) {
        let mut driver = this.borrow_mut();
        if !driver.is_started || driver.stage == Stage::Probing || driver.socket.is_some() {
            return;
        }
        match driver.data {
            Some(_) => driver.connect(this),
            None if driver.is_loading => driver.send_state(State::LoadingData, None, None),
            None => driver.load(this),
        }
    }

    fn load(&mut self, this: &SharedDriver) {
        self.is_loading = true;
        self.send_state(State::LoadingData, None, None);
        let this = Rc::clone(this);
        let url = self.url.clone();
        wasm_bindgen_futures::spawn_local(async move {
            let loaded = data::load(&url).await;
            let mut driver = this.borrow_mut();
            driver.is_loading = false;
            match loaded {
                Ok(data) => driver.data = Some(Arc::new(data)),
                Err(reason) if driver.is_started => return driver.retry(&this, None, &reason),
                Err(_) => return,
            }
            drop(driver);
            Self::advance(&this);
        });
    }

    fn connect(&mut self, this: &SharedDriver) {
        let Some(data) = &self.data else { return };
        self.volunteer = Some(Volunteer::new(Arc::clone(data)));
        self.send_state(State::Connecting, None, None);
        let on_event = {
            let this = Rc::clone(this);
            move |event| this.borrow_mut().on_event(&this, event)
        };
        match Socket::connect(&self.url, on_event) {
            Ok(socket) => {
                (self.socket, self.stage) = (Some(socket), Stage::Opening);
                self.last_transfer_ms = now_ms();
                self.watch_idle_timeout(this);
            }
            Err(error) => {
                let reason = format!("The server's address {} is invalid: {error:?}.", self.url);
                self.finish(State::Failed, Some(&reason));
            }
        }
    }

    /// Finds out why the WebSocket was not opened, and retries.
    fn probe(&mut self, this: &SharedDriver) {
        self.disconnect();
        self.stage = Stage::Probing;
        let no_response = {
            let this = Rc::clone(this);
            move || Self::retry_unopened(&this, false)
        };
        self.set_timer(Some(Timer::set_timeout(PROBE_TIMEOUT, no_response)));
        let this = Rc::clone(this);
        let url = self.url.clone();
        wasm_bindgen_futures::spawn_local(async move {
            Self::retry_unopened(&this, data::responds(&url).await);
        });
    }

    fn retry_unopened(this: &SharedDriver, responds: bool) {
        let mut driver = this.borrow_mut();
        if driver.stage == Stage::Probing {
            driver.retry(this, None, reason_not_opened(responds));
        }
    }

    fn on_event(&mut self, this: &SharedDriver, event: SocketEvent) {
        let received_ms = now_ms();
        self.last_transfer_ms = received_ms;
        self.throttle.record_idle(received_ms - self.idle_since_ms);
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
                self.send()
            }
            SocketEvent::Frame(frame) => self.on_frame(&frame),
            SocketEvent::Closed(_) if self.stage == Stage::Opening => return self.probe(this),
            SocketEvent::Closed(code) => Err(Disconnect::from_close_code(code)),
        };
        let result = result.and_then(|()| self.work_or_wait(this));
        self.on_idle(this, received_ms, result);
    }

    /// Works on the delayed task, if there is one.
    fn work(this: &SharedDriver) {
        let mut driver = this.borrow_mut();
        driver.set_wait(None);
        let started_ms = now_ms();
        let idle_ms = started_ms - driver.idle_since_ms;
        driver.throttle.record_idle(idle_ms);
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
            Err(Disconnect::Retry(delay_ms, reason)) => self.retry(this, delay_ms, &reason),
            Err(Disconnect::End(state, reason)) => self.finish(state, Some(&reason)),
        }
    }

    fn work_or_wait(&mut self, this: &SharedDriver) -> Result<(), Disconnect> {
        match self.throttle.delay_ms() {
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
                (self.data, self.is_reloaded) = (None, true); // reloaded before the next attempt
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
                    self.is_reloaded = false;
                    self.backoff.succeeded();
                    self.send_state(State::Working, None, None);
                }
                Event::Accepted(_) => self.progress.accepted += 1.0,
                Event::Rejected(_) => self.progress.rejected += 1.0,
                Event::Task(task) => self.task = Some(task),
                Event::Goodbye(goodbye) => return Err(goodbye.into()),
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
        self.progress
            .record_update(self.outgoing.len(), now_ms() - started_ms);
        self.last_transfer_ms = now_ms();
        self.send()
    }

    fn send(&self) -> Result<(), Disconnect> {
        match &self.socket {
            Some(socket) if socket.send(&self.outgoing) => Ok(()),
            _ => Err(Disconnect::Retry(
                None,
                "The connection to the server was lost.".to_owned(),
            )),
        }
    }

    /// Starts the idle timeout. One timer runs for each connection, not for each frame.
    fn watch_idle_timeout(&mut self, this: &SharedDriver) {
        let this = Rc::clone(this);
        let check = move || {
            let mut driver = this.borrow_mut();
            if !driver.check_idle_timeout(&this) {
                driver.watch_idle_timeout(&this);
            }
        };
        self.set_timer(Some(Timer::set_timeout(IDLE_TIMEOUT, check)));
    }

    /// Reconnects after the idle timeout, and returns whether it has passed.
    fn check_idle_timeout(&mut self, this: &SharedDriver) -> bool {
        // While a task is delayed or computed, the server sends nothing.
        let timed_out = self.task.is_none()
            && now_ms() - self.last_transfer_ms >= IDLE_TIMEOUT.as_millis() as f64;
        if timed_out {
            self.retry(this, None, "The server does not respond.");
        }
        timed_out
    }

    fn retry(&mut self, this: &SharedDriver, delay_ms: Option<u32>, reason: &str) {
        self.disconnect();
        if !self.is_started {
            return;
        }
        self.retry_not_before_ms = delay_ms.map_or(0.0, |ms| now_ms() + f64::from(ms));
        let delay_ms = delay_ms.unwrap_or_else(|| self.backoff.next_ms(js_sys::Math::random()));
        self.send_progress(true);
        self.send_state(State::Reconnecting, Some(reason), Some(delay_ms));
        let this = Rc::clone(this);
        let again = Timer::set_timeout(Duration::from_millis(delay_ms.into()), move || {
            Self::advance(&this);
        });
        self.set_timer(Some(again));
    }

    /// Ends the session in this state.
    fn finish(&mut self, state: State, reason: Option<&str>) {
        self.is_started = false;
        self.disconnect();
        self.send_progress(true);
        self.send_state(state, reason, None);
    }

    fn disconnect(&mut self) {
        self.set_timer(None);
        self.set_wait(None);
        drop_after_event(self.socket.take());
        (self.volunteer, self.task, self.stage) = (None, None, Stage::Closed);
    }

    fn set_wait(&mut self, wait: Option<Timer>) {
        drop_after_event(std::mem::replace(&mut self.wait, wait));
    }

    fn set_timer(&mut self, timer: Option<Timer>) {
        drop_after_event(std::mem::replace(&mut self.timer, timer));
    }

    fn send_state(&self, state: State, reason: Option<&str>, retry_in_ms: Option<u32>) {
        self.send_event(&WorkerEvent::State {
            state,
            reason,
            retry_in_ms,
        });
    }

    fn send_progress(&mut self, is_forced: bool) {
        let now = now_ms();
        if is_forced || now - self.last_progress_ms >= PROGRESS_INTERVAL_MS {
            self.last_progress_ms = now;
            self.progress.busy_ms = self.throttle.worked_ms();
            self.send_event(&WorkerEvent::Progress(&self.progress));
        }
    }

    fn send_event(&self, event: &WorkerEvent<'_>) {
        // The callback posts a message. It fails only while the worker is terminated.
        _ = self.on_event.call1(&JsValue::NULL, &event.to_js());
    }
}
