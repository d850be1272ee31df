//! Drives a volunteer: asks for data, connects, trains, throttles and reconnects.
//!
//! ```text
//!   idle --start--> loading data --> connecting --> working --pause--> paused --start--> connecting
//!                        ^               ^             |
//!                        +-- wait <------+-- wait <----+ connection lost          stop, finished, ejected, failed: end
//!                                        +-- rest <----+ the throttle's delay is too long for a task, or the line budget
//!                                                        is used up
//! ```
//!
//! The [`Throttle`] sets the rest between two tasks. The volunteer announces it with its update, and the server sends the
//! next task so that it arrives when the rest is over. So a volunteer rests without an open task, and the rest hides the
//! round trip. A rest that is long beside the server's timeout is taken without a session. Leaving costs a whole version
//! and the momentum.

mod line;
mod loading;
mod parts;
mod session;
mod update;

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use farsign::backoff::Backoff;
use farsign::task::Secret;
use farsign::task_timing::TaskTiming;
use farsign::volunteer::{Event, MAX_TASK_DELAY_MS, Volunteer};
use wasm_bindgen::JsValue;
use web_sys::MessagePort;

use loading::HeldData;
use parts::PartQueue;
use update::BegunUpdate;

use crate::data;
use crate::disconnect::reason_not_opened;
use crate::events::{Progress, State, WorkerEvent};
use crate::line::{Refused, WorkerLine};
use crate::port::Port;
use crate::socket::{Socket, Stage};
use crate::throttle::Throttle;
use crate::worker_global::{Timer, drop_after_event, now_ms, unix_time_ms};

/// Minimum time between two progress events. The page redraws less often.
const PROGRESS_INTERVAL_MS: f64 = 250.0;

/// A server responds to an update within its longest throttle delay and the transfer time. After this much longer, the
/// server is gone or this device has slept.
const IDLE_TIMEOUT: Duration = Duration::from_millis(MAX_TASK_DELAY_MS + 45_000);

/// Time for the response that shows whether the server is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(8);

/// The state of a volunteer. Events arrive through `Rc<RefCell<Driver>>`, one at a time.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is independent of the others"
)]
pub struct Driver {
    on_event: js_sys::Function,
    url: String,
    credentials: Credentials,
    /// Set between start and pause, stop or the end of the session.
    is_started: bool,
    /// The channel to the data worker.
    port: Port,
    /// Set while the data worker owes a reply to a request for a shard.
    is_loading: bool,
    /// Set after the data was reloaded because the server trains on other data.
    is_reloaded: bool,
    /// What the data worker holds. `None` before the first shard.
    data: Option<HeldData>,
    load_backoff: Backoff,
    /// Runs until a download that failed during a session is repeated.
    load_timer: Option<Timer>,
    volunteer: Option<Volunteer>,
    /// The images of the volunteer's tasks.
    parts: PartQueue,
    begun: Option<BegunUpdate>,
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
    timing: TaskTiming,
    line: WorkerLine,
    /// Time at which the rest without a session ends. `None` in a session, and while there is no rest.
    rest_ends_ms: Option<f64>,
    updates_in_session: u32,
    /// Updates without a reply.
    unacknowledged: u32,
    /// The line budget allows no further task. The rest begins when the last update is acknowledged.
    line_refused: Option<Refused>,
    /// Whether the server waits with the next task until a rest is over.
    is_rest_announced: bool,
    idle_since_ms: f64,
    /// Runs until the volunteer continues with the tasks that it holds.
    wait: Option<Timer>,
    progress: Progress,
    last_progress_ms: f64,
    /// Buffers that every frame reuses.
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    block: Vec<u8>,
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
    /// Creates a driver that sends its events to a function, and trains on the images of the data worker at a port.
    pub fn new(on_event: js_sys::Function, port: MessagePort) -> SharedDriver {
        Rc::new_cyclic(|this| {
            let this = Weak::clone(this);
            let on_message = move |message| {
                if let Some(this) = this.upgrade() {
                    Self::on_data_message(&this, message);
                }
            };
            RefCell::new(Self::with_port(on_event, Port::open(port, on_message)))
        })
    }

    fn with_port(on_event: js_sys::Function, port: Port) -> Self {
        Self {
            on_event,
            port,
            url: String::new(),
            credentials: Credentials::default(),
            is_started: false,
            is_loading: false,
            is_reloaded: false,
            data: None,
            load_backoff: Backoff::default(),
            load_timer: None,
            volunteer: None,
            parts: PartQueue::default(),
            begun: None,
            socket: None,
            stage: Stage::default(),
            backoff: Backoff::default(),
            timer: None,
            retry_not_before_ms: 0.0,
            last_transfer_ms: 0.0,
            throttle: Throttle::default(),
            timing: TaskTiming::default(),
            line: WorkerLine::default(),
            rest_ends_ms: None,
            updates_in_session: 0,
            unacknowledged: 0,
            line_refused: None,
            is_rest_announced: false,
            idle_since_ms: 0.0,
            wait: None,
            progress: Progress::default(),
            last_progress_ms: f64::NEG_INFINITY,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            block: Vec::new(),
            events: Vec::new(),
        }
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

    /// Sets the fraction of a core. If it differs from the current one, the current rest ends.
    pub fn set_effort(this: &SharedDriver, effort: f64) {
        let mut driver = this.borrow_mut();
        let is_resting = driver.rest_ends_ms.is_some();
        if driver.throttle.set_effort(effort) {
            driver.end_announced_rest();
            drop(driver);
            if is_resting {
                Self::advance(this);
            } else {
                Self::work(this);
            }
        }
    }

    /// Checks the connection now instead of at the next timer.
    pub fn wake(this: &SharedDriver) {
        let mut driver = this.borrow_mut();
        if driver.socket.is_some() {
            driver.check_idle_timeout(this);
        } else if driver.is_started && now_ms() >= driver.next_attempt_ms() {
            drop(driver);
            Self::advance(this);
        }
    }

    /// Returns the earliest time of the next connection: the end of the rest, or of the delay that the server requested.
    fn next_attempt_ms(&self) -> f64 {
        self.rest_ends_ms.unwrap_or(self.retry_not_before_ms)
    }

    /// Takes the next step towards training.
    fn advance(this: &SharedDriver) {
        let mut driver = this.borrow_mut();
        if !driver.is_started || driver.stage == Stage::Probing || driver.socket.is_some() {
            return;
        }
        driver.record_idle(now_ms());
        if !driver.may_open_line() {
            return; // the page's reply continues
        }
        if !driver.has_enough_data() {
            driver.send_state(State::LoadingData, None, None);
        } else if driver.is_rest_due() {
            driver.rest(this);
        } else {
            driver.connect(this);
        }
        driver.load();
    }

    fn connect(&mut self, this: &SharedDriver) {
        let Some(data) = &self.data else { return };
        self.volunteer = Some(Volunteer::new(data.list.clone()));
        self.parts.begin_session(data.generation, data.list.list());
        self.updates_in_session = 0;
        if self.rest_ends_ms.is_none() {
            self.send_state(State::Connecting, None, None);
        }
        let on_event = {
            let this = Rc::clone(this);
            move |event| this.borrow_mut().on_event(&this, event)
        };
        match Socket::connect(&self.url, on_event) {
            Ok(socket) => {
                (self.socket, self.stage) = (Some(socket), Stage::Opening);
                self.line.open(unix_time_ms());
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
    pub(super) fn probe(&mut self, this: &SharedDriver) {
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
            driver.retry(this, State::Reconnecting, None, reason_not_opened(responds));
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
        let timed_out = self.next_task().is_none()
            && now_ms() - self.last_transfer_ms >= IDLE_TIMEOUT.as_millis() as f64;
        if timed_out {
            let reason = "The server does not respond.";
            self.retry(this, State::Reconnecting, None, reason);
        }
        timed_out
    }

    /// Reconnects after the server's delay in ms, or after the backoff's, and shows this state until then.
    fn retry(&mut self, this: &SharedDriver, state: State, delay_ms: Option<u32>, reason: &str) {
        self.disconnect();
        if !self.is_started {
            return;
        }
        self.retry_not_before_ms = delay_ms.map_or(0.0, |ms| now_ms() + f64::from(ms));
        let delay_ms = delay_ms.unwrap_or_else(|| self.backoff.next_ms(js_sys::Math::random()));
        self.send_progress(true);
        self.send_state(state, Some(reason), Some(delay_ms));
        self.advance_after(this, delay_ms);
    }

    /// Returns whether the throttle's delay is longer than a task may wait.
    fn is_rest_due(&self) -> bool {
        let max_ms = self.timing.max_rest_ms();
        self.throttle.delay_ms().is_some_and(|ms| ms > max_ms)
    }

    /// Leaves until the throttle's delay is over.
    fn rest(&mut self, this: &SharedDriver) {
        self.disconnect();
        let delay_ms = self.throttle.delay_ms().unwrap_or_default();
        self.rest_ends_ms = Some(now_ms() + delay_ms);
        self.send_progress(true);
        self.send_state(State::Resting, None, Some(delay_ms as u32));
        self.advance_after(this, delay_ms as u32);
    }

    fn advance_after(&mut self, this: &SharedDriver, delay_ms: u32) {
        let this = Rc::clone(this);
        let delay = Duration::from_millis(delay_ms.into());
        let again = Timer::set_timeout(delay, move || Self::advance(&this));
        self.set_timer(Some(again));
    }

    /// Counts the time since the last work as idle.
    fn record_idle(&mut self, now_ms: f64) {
        self.throttle.record_idle(now_ms - self.idle_since_ms);
        self.idle_since_ms = now_ms;
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
        (self.volunteer, self.stage) = (None, Stage::Closed);
        self.drop_images();
        (self.rest_ends_ms, self.is_rest_announced) = (None, false);
        (self.unacknowledged, self.line_refused) = (0, None);
        self.line.close();
        self.report_line();
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
            self.report_line();
        }
    }

    fn send_event(&self, event: &WorkerEvent<'_>) {
        // The callback posts a message. It fails only while the worker is terminated.
        _ = self.on_event.call1(&JsValue::NULL, &event.to_js());
    }
}
