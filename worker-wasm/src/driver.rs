//! What the volunteer does and when: loads data, connects, works, waits, comes back.
//!
//! ```text
//!   idle --start--> loading data --> connecting --> working --pause--> paused --start--> connecting
//!                        ^               ^             |
//!                        +-- wait <------+-- wait <----+ connection lost          stop, finished, removed, failed: end
//! ```
//!
//! Between two tasks it rests as long as its [`Pace`] asks for.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use farsign::backoff::Backoff;
use farsign::dataset::Dataset;
use farsign::task::{Secret, Task};
use farsign::volunteer::{Event, MOST_REST_MS, Volunteer, VolunteerError};
use farsign::wire::{Abilities, ClientFrame, Hello};
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;

use crate::cut::Cut;
use crate::data;
use crate::pace::Pace;
use crate::report::{Progress, Report, State};
use crate::scope::{Timer, drop_later, now_ms};
use crate::socket::{Socket, SocketEvent};

const AGENT: &str = concat!("farsign-browser/", env!("CARGO_PKG_VERSION"));

/// Time between progress reports; the page redraws no faster.
const REPORT_EVERY_MS: f64 = 250.0;

/// A server says something after an answer within its longest rest and the time that messages take, so one that says
/// nothing for so much longer is gone, or this machine has slept.
const SILENCE: Duration = Duration::from_millis(MOST_REST_MS + 45_000);

/// What the rest of the browser does for a message and its answer, which this worker cannot measure: so much of a core
/// for the messages of the default model, by /proc.
const OUTSIDE_MS: f64 = 0.6;

/// State of a volunteer. Events come through `Rc<RefCell<Driver>>`; none is handled inside another.
#[derive(Debug)]
pub struct Driver {
    on_report: js_sys::Function,
    url: String,
    pass: Pass,
    /// Whether the person wants it to work.
    wanted: bool,
    loading: bool,
    /// Whether the data was loaded a second time because the server trains on other data.
    loaded_again: bool,
    data: Option<Arc<Dataset>>,
    volunteer: Option<Volunteer>,
    socket: Option<Socket>,
    backoff: Backoff,
    /// Waits for the next attempt, or watches for silence.
    timer: Option<Timer>,
    /// When the server wants to see it again at the earliest, where it said so.
    not_before_ms: f64,
    /// When something came last, or went.
    quiet_since_ms: f64,
    pace: Pace,
    /// When it last had nothing more to do.
    idle_since_ms: f64,
    /// The task that waits until it has rested.
    task: Option<Task>,
    rest: Option<Timer>,
    progress: Progress,
    reported_ms: f64,
    /// Buffers that are used again for every frame.
    incoming: Vec<u8>,
    answer: Vec<u8>,
    events: Vec<Event>,
}

/// What a volunteer shows at the door.
#[derive(Debug, Default)]
pub struct Pass {
    /// Makes it the same volunteer as before.
    pub secret: Option<Secret>,
    /// What the server asks volunteers for, if it does.
    pub token: Option<String>,
}

type Shared = Rc<RefCell<Driver>>;

impl Driver {
    pub fn new(on_report: js_sys::Function) -> Shared {
        Rc::new(RefCell::new(Self {
            on_report,
            url: String::new(),
            pass: Pass::default(),
            wanted: false,
            loading: false,
            loaded_again: false,
            data: None,
            volunteer: None,
            socket: None,
            backoff: Backoff::default(),
            timer: None,
            not_before_ms: 0.0,
            quiet_since_ms: 0.0,
            pace: Pace::default(),
            idle_since_ms: 0.0,
            task: None,
            rest: None,
            progress: Progress::default(),
            reported_ms: f64::NEG_INFINITY,
            incoming: Vec::new(),
            answer: Vec::new(),
            events: Vec::new(),
        }))
    }

    pub fn start(this: &Shared, url: String, pass: Pass) {
        {
            let mut driver = this.borrow_mut();
            if driver.wanted {
                return;
            }
            driver.wanted = true;
            (driver.url, driver.pass) = (url, pass);
        }
        Self::proceed(this);
    }

    pub fn pause(this: &Shared) {
        this.borrow_mut().end(State::Paused, None);
    }

    pub fn stop(this: &Shared) {
        this.borrow_mut().end(State::Stopped, None);
    }

    /// Uses this share of a core from now on; a rest under way ends.
    pub fn set_effort(this: &Shared, effort: f64) {
        this.borrow_mut().pace.set_effort(effort);
        Self::work(this);
    }

    /// The machine has woken, or is connected again: looks after the connection now rather than when a timer says so.
    pub fn wake(this: &Shared) {
        let mut driver = this.borrow_mut();
        if driver.socket.is_some() {
            driver.give_up_if_silent(this);
        } else if driver.wanted && now_ms() >= driver.not_before_ms {
            drop(driver);
            Self::proceed(this);
        }
    }

    /// Does what comes next on the way to working.
    fn proceed(this: &Shared) {
        let mut driver = this.borrow_mut();
        if !driver.wanted || driver.socket.is_some() {
            return;
        }
        match driver.data {
            Some(_) => driver.connect(this),
            None if driver.loading => driver.report_state(State::LoadingData, None, None),
            None => driver.load(this),
        }
    }

    fn load(&mut self, this: &Shared) {
        self.loading = true;
        self.report_state(State::LoadingData, None, None);
        let (this, url) = (Rc::clone(this), self.url.clone());
        wasm_bindgen_futures::spawn_local(async move {
            let loaded = data::load(&url).await;
            let mut driver = this.borrow_mut();
            driver.loading = false;
            match loaded {
                Ok(data) => driver.data = Some(Arc::new(data)),
                Err(reason) if driver.wanted => return driver.retry(&this, None, &reason),
                Err(_) => return,
            }
            drop(driver);
            Self::proceed(&this);
        });
    }

    fn connect(&mut self, this: &Shared) {
        let Some(data) = &self.data else { return };
        self.volunteer = Some(Volunteer::new(Arc::clone(data)));
        self.report_state(State::Connecting, None, None);
        let on_event = {
            let this = Rc::clone(this);
            move |event| this.borrow_mut().take(&this, event)
        };
        match Socket::connect(&self.url, on_event) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.quiet_since_ms = now_ms();
                self.watch_silence(this);
            }
            Err(error) => {
                let reason = format!("The server's address {} cannot be used: {error:?}.", self.url);
                self.end(State::Failed, Some(&reason));
            }
        }
    }

    fn take(&mut self, this: &Shared, event: SocketEvent) {
        let heard_ms = now_ms();
        self.quiet_since_ms = heard_ms;
        self.pace.rested(heard_ms - self.idle_since_ms);
        let taken = match event {
            SocketEvent::Open => {
                let abilities = Abilities { deltas: true, ..Abilities::default() };
                let (secret, token) = (self.pass.secret, self.pass.token.as_deref());
                ClientFrame::hello(&Hello { agent: AGENT, abilities, secret, token }, &mut self.answer);
                self.send()
            }
            SocketEvent::Frame(frame) => self.take_frame(&frame),
            SocketEvent::Closed(code) => Err(Cut::closed(code)),
        };
        let taken = taken.and_then(|()| self.work_or_rest(this));
        self.idle(this, heard_ms, taken);
    }

    /// Works on the task that waits, if one does.
    fn work(this: &Shared) {
        let mut driver = this.borrow_mut();
        driver.set_rest(None);
        let since_ms = now_ms();
        let idle_ms = since_ms - driver.idle_since_ms;
        driver.pace.rested(idle_ms);
        let taken = driver.answer_task();
        driver.idle(this, since_ms, taken);
    }

    /// Has worked since then, and has nothing more to do; or cannot go on.
    fn idle(&mut self, this: &Shared, since_ms: f64, taken: Result<(), Cut>) {
        self.idle_since_ms = now_ms();
        self.pace.worked(self.idle_since_ms - since_ms + OUTSIDE_MS);
        match taken {
            Ok(()) => {}
            Err(Cut::Retry(wait_ms, reason)) => self.retry(this, wait_ms, &reason),
            Err(Cut::End(state, reason)) => self.end(state, Some(&reason)),
        }
    }

    fn work_or_rest(&mut self, this: &Shared) -> Result<(), Cut> {
        match self.pace.due_ms() {
            Some(ms) if self.task.is_some() => {
                let this = Rc::clone(this);
                let rest = Duration::from_secs_f64(ms / 1000.0);
                self.set_rest(Some(Timer::after(rest, move || Self::work(&this))));
                Ok(())
            }
            _ => self.answer_task(),
        }
    }

    fn take_frame(&mut self, frame: &Uint8Array) -> Result<(), Cut> {
        let length = frame.length() as usize;
        self.incoming.resize(length, 0);
        frame.copy_to(&mut self.incoming);
        self.progress.bytes_received += length as f64;
        let Some(volunteer) = &mut self.volunteer else { return Ok(()) };
        self.events.clear();
        if let Err(error) = volunteer.receive(&self.incoming, &mut self.events) {
            if error == VolunteerError::OtherData && !self.loaded_again {
                (self.data, self.loaded_again) = (None, true); // loaded before the next attempt
                return Err(Cut::Retry(None, "The server now trains on other data.".to_owned()));
            }
            return Err(error.into());
        }
        for index in 0..self.events.len() {
            match self.events[index].clone() {
                Event::Joined => {
                    self.loaded_again = false;
                    self.backoff.succeeded();
                    self.report_state(State::Working, None, None);
                }
                Event::Accepted(_) => self.progress.accepted += 1.0,
                Event::Rejected(_) => self.progress.rejected += 1.0,
                Event::Task(task) => self.task = Some(task),
                Event::Goodbye(goodbye) => return Err(goodbye.into()),
            }
        }
        self.report_progress(false);
        Ok(())
    }

    fn answer_task(&mut self) -> Result<(), Cut> {
        let (Some(task), Some(volunteer)) = (self.task.take(), &mut self.volunteer) else { return Ok(()) };
        let started = now_ms();
        volunteer.answer(&task, &mut self.answer)?;
        self.progress.version = task.snapshot_version as f64;
        self.progress.answered(self.answer.len(), now_ms() - started);
        self.quiet_since_ms = now_ms();
        self.send()
    }

    fn send(&self) -> Result<(), Cut> {
        match &self.socket {
            Some(socket) if socket.send(&self.answer) => Ok(()),
            _ => Err(Cut::Retry(None, "The connection to the server was lost.".to_owned())),
        }
    }

    /// Gives up the connection when nothing has come for too long. One timer runs for a connection, not for a frame.
    fn watch_silence(&mut self, this: &Shared) {
        let this = Rc::clone(this);
        let check = move || {
            let mut driver = this.borrow_mut();
            if !driver.give_up_if_silent(&this) {
                driver.watch_silence(&this);
            }
        };
        self.set_timer(Some(Timer::after(SILENCE, check)));
    }

    /// Whether it has given up.
    fn give_up_if_silent(&mut self, this: &Shared) -> bool {
        // While it works, or rests before it answers, there is nothing to hear.
        let silent = self.task.is_none() && now_ms() - self.quiet_since_ms >= SILENCE.as_millis() as f64;
        if silent {
            self.retry(this, None, "The server has fallen silent.");
        }
        silent
    }

    fn retry(&mut self, this: &Shared, wait_ms: Option<u32>, reason: &str) {
        self.hang_up();
        if !self.wanted {
            return;
        }
        self.not_before_ms = wait_ms.map_or(0.0, |ms| now_ms() + f64::from(ms));
        let wait_ms = wait_ms.unwrap_or_else(|| self.backoff.next_ms(js_sys::Math::random()));
        self.report_progress(true);
        self.report_state(State::Reconnecting, Some(reason), Some(wait_ms));
        let this = Rc::clone(this);
        let again = Timer::after(Duration::from_millis(wait_ms.into()), move || Self::proceed(&this));
        self.set_timer(Some(again));
    }

    /// Ends all activity in this state.
    fn end(&mut self, state: State, reason: Option<&str>) {
        self.wanted = false;
        self.hang_up();
        self.report_progress(true);
        self.report_state(state, reason, None);
    }

    fn hang_up(&mut self) {
        self.set_timer(None);
        self.set_rest(None);
        drop_later(self.socket.take());
        (self.volunteer, self.task) = (None, None);
    }

    fn set_rest(&mut self, rest: Option<Timer>) {
        drop_later(std::mem::replace(&mut self.rest, rest));
    }

    fn set_timer(&mut self, timer: Option<Timer>) {
        drop_later(std::mem::replace(&mut self.timer, timer));
    }

    fn report_state(&self, state: State, reason: Option<&str>, retry_in_ms: Option<u32>) {
        self.report(&Report::State { state, reason, retry_in_ms });
    }

    fn report_progress(&mut self, at_once: bool) {
        let now = now_ms();
        if at_once || now - self.reported_ms >= REPORT_EVERY_MS {
            self.reported_ms = now;
            self.progress.busy_ms = self.pace.worked_ms();
            self.report(&Report::Progress(&self.progress));
        }
    }

    fn report(&self, report: &Report<'_>) {
        // The callback posts a message; it fails only when the worker is being ended.
        _ = self.on_report.call1(&JsValue::NULL, &report.to_js());
    }
}
