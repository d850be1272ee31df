//! The state machine of a volunteer, without I/O: frames in, frames out.
//!
//! The browser and the native program drive it; neither contains the algorithm or the protocol. Buffers are allocated
//! at the welcome and reused for every task, so memory does not grow.
//!
//! A server may send a second task while the volunteer computes the first. The volunteer holds both, with the parameters
//! of both versions, and computes them in order ([`Volunteer::next_task`]).
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use farsign::dataset::{Dataset, DatasetParts};
//! use farsign::volunteer::{Event, Volunteer};
//! # use farsign::direction::{DirectionFamily, DirectionSpec};
//! # use farsign::estimate::Order;
//! # use farsign::model::Architecture;
//! # use farsign::task::{RunSettings, Task, TaskId, VolunteerId};
//! # use farsign::wire::{EncodedSnapshot, ServerFrame};
//!
//! let parts = DatasetParts { rows: 1, cols: 2, images: vec![255, 0, 0, 255], labels: vec![0, 1] };
//! let data = Arc::new(Dataset::from_parts(parts)?);
//! # let settings = RunSettings {
//! #     run_id: 1,
//! #     architecture: Architecture::new(vec![2, 2])?,
//! #     order: Order::First,
//! #     directions: DirectionSpec::new(DirectionFamily::Coordinate, 6, 6)?,
//! #     batch: 8,
//! #     beta: 0.3,
//! #     task_timeout_ms: 60_000,
//! #     train_digest: data.digest(),
//! # };
//! # let task = Task {
//! #     id: TaskId(1),
//! #     snapshot_version: 0,
//! #     minibatch_seed: 11,
//! #     direction_seed: 12,
//! #     coin_seed: 13,
//! #     images: 8,
//! #     reset_momentum: true,
//! # };
//! # let snapshot = EncodedSnapshot::new(0, Arc::from([0.0; 6]));
//! # let mut frame = Vec::new();
//! # ServerFrame::new(&mut frame).welcome(VolunteerId(1), &settings).snapshot(&snapshot).task(&task);
//!
//! let mut volunteer = Volunteer::new(data);
//! let mut events = Vec::new();
//! volunteer.receive(&frame, &mut events)?; // the server's frame: welcome, snapshot and task
//!
//! let [Event::Joined, Event::Task(task)] = events[..] else { panic!("expected a task") };
//! let mut out = Vec::new();
//! volunteer.write_update(&task, &mut out)?; // the frame to send
//! assert_eq!(out.len(), 14 + 1); // 14 bytes and one bit per direction
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::dataset::Dataset;
use crate::sign::SignBits;
use crate::sign_update::UpdateComputer;
use crate::step::Step;
use crate::task::{Goodbye, RejectReason, RunSettings, Task};
use crate::task_sizing::MAX_OPEN_TASKS;
use crate::wire::{
    ClientFrame, DeltaBody, ServerRecord, SnapshotBody, Welcome, WireError, read_server_frame,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// Longest time for which a server delays the task of a volunteer that rests or is throttled, in milliseconds.
pub const MAX_TASK_DELAY_MS: u64 = 60_000;

/// An event that a frame from the server leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The session started.
    Joined,
    /// An update was accepted; with the number of accepted updates of the run.
    Accepted(u64),
    /// An update was rejected.
    Rejected(RejectReason),
    /// A task was received. Its update is computed by [`Volunteer::write_update`], after those of earlier tasks.
    Task(Task),
    /// The server closes the session.
    Goodbye(Goodbye),
}

/// An error that ends a volunteer's session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum VolunteerError {
    /// A malformed frame.
    #[error("malformed frame from the server: {0}")]
    Wire(#[from] WireError),
    /// Training data other than the server's.
    #[error("the server's training data is not the data this volunteer loaded; load it again")]
    DatasetMismatch,
    /// A record before the welcome.
    #[error("expected a welcome first")]
    NoWelcome,
    /// A snapshot whose size is not that of the model.
    #[error("expected a snapshot of {expected} parameters, found {found}")]
    SnapshotSize { expected: usize, found: usize },
    /// A task or steps for a snapshot that the volunteer does not have.
    #[error("expected a task or steps for snapshot {expected:?}, found {found}")]
    SnapshotVersion { expected: Option<u64>, found: u64 },
    /// More open tasks than a session may have.
    #[error("expected at most {MAX_OPEN_TASKS} open tasks, found another")]
    TooManyTasks,
    /// A loss or gradient that is not finite. No update is sent.
    #[error("the estimate at snapshot {version} is not finite")]
    NonFinite { version: u64 },
}

/// A volunteer: the state between frames.
#[derive(Debug)]
pub struct Volunteer {
    data: Arc<Dataset>,
    session: Option<Session>,
}

/// The state of a session.
#[derive(Debug)]
struct Session {
    computer: UpdateComputer,
    current: Snapshot,
    /// The snapshot before, if an open task needs it.
    previous: Snapshot,
    /// Tasks whose update is not computed yet, in order.
    open: VecDeque<Task>,
    /// Buffer of a received step.
    step: Step,
}

/// The parameters of a version.
#[derive(Debug, Default)]
struct Snapshot {
    /// Version of the snapshot. `None` before the first, or if the last one was incomplete.
    version: Option<u64>,
    /// Parameters, `[d]`.
    x: Vec<f32>,
}

impl Volunteer {
    /// Creates a volunteer with its training data.
    pub fn new(data: Arc<Dataset>) -> Self {
        Self {
            data,
            session: None,
        }
    }

    /// Processes a frame from the server and appends its events to `events`.
    ///
    /// # Errors
    ///
    /// Returns an error if the frame is malformed or inconsistent with the session. The connection is unusable then.
    pub fn receive(&mut self, frame: &[u8], events: &mut Vec<Event>) -> Result<(), VolunteerError> {
        for record in read_server_frame(frame)? {
            match record? {
                ServerRecord::Welcome(welcome) => {
                    self.welcome(*welcome)?;
                    events.push(Event::Joined);
                }
                ServerRecord::Snapshot(snapshot) => self.session()?.take_snapshot(snapshot)?,
                ServerRecord::Delta(delta) => self.session()?.take_delta(delta)?,
                ServerRecord::Task(task) => {
                    if let Some(session) = &mut self.session {
                        session.take_task(task)?;
                    }
                    events.push(Event::Task(task));
                }
                ServerRecord::Accepted { accepted, .. } => events.push(Event::Accepted(accepted)),
                ServerRecord::Rejected { reason, .. } => events.push(Event::Rejected(reason)),
                ServerRecord::Goodbye(goodbye) => events.push(Event::Goodbye(goodbye)),
            }
        }
        Ok(())
    }

    /// Returns the first task whose update is not computed yet; `None` without one.
    pub fn next_task(&self) -> Option<Task> {
        self.session.as_ref()?.open.front().copied()
    }

    /// Computes the update of a task, `[K]`.
    ///
    /// # Errors
    ///
    /// Returns an error if the volunteer lacks the task's snapshot, or the estimate is not finite.
    pub fn compute_update(&mut self, task: &Task) -> Result<&SignBits, VolunteerError> {
        let data = Arc::clone(&self.data);
        self.compute_update_on(task, &data)
    }

    /// Computes the update of a task with other data than the session's, as a data-poisoning attacker does.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Volunteer::compute_update`].
    pub fn compute_update_on(
        &mut self,
        task: &Task,
        data: &Dataset,
    ) -> Result<&SignBits, VolunteerError> {
        self.session()?.compute_update(task, data)
    }

    /// Computes the update of a task and writes its frame into `out`, which is cleared first.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Volunteer::compute_update`].
    pub fn write_update(&mut self, task: &Task, out: &mut Vec<u8>) -> Result<(), VolunteerError> {
        let signs = self.compute_update(task)?;
        ClientFrame::update(task.id, signs, out);
        Ok(())
    }

    /// Ends the session. Returns whether one was open.
    pub fn leave(&mut self) -> bool {
        self.session.take().is_some()
    }

    /// Returns the number of parameters of the model, `d`; `None` before the welcome.
    pub fn parameters(&self) -> Option<usize> {
        self.session
            .as_ref()
            .map(|session| session.computer.settings().directions.parameters())
    }

    /// Returns the time that the server allows for a task, in ms; `None` before the welcome.
    pub fn task_timeout_ms(&self) -> Option<u32> {
        self.session
            .as_ref()
            .map(|session| session.computer.settings().task_timeout_ms)
    }

    /// Returns the version of the current snapshot; `None` without one.
    pub fn snapshot_version(&self) -> Option<u64> {
        self.session
            .as_ref()
            .and_then(|session| session.current.version)
    }

    fn session(&mut self) -> Result<&mut Session, VolunteerError> {
        self.session.as_mut().ok_or(VolunteerError::NoWelcome)
    }

    fn welcome(&mut self, welcome: Welcome) -> Result<(), VolunteerError> {
        let settings = welcome.settings;
        let fits = settings.train_digest == self.data.digest()
            && settings.architecture.inputs() == self.data.pixels()
            && settings.architecture.classes() >= self.data.classes();
        if !fits {
            return Err(VolunteerError::DatasetMismatch);
        }
        self.session = Some(Session::new(settings));
        Ok(())
    }
}

impl Session {
    fn new(settings: RunSettings) -> Self {
        let x = Vec::with_capacity(settings.directions.parameters());
        Self {
            computer: UpdateComputer::new(settings),
            current: Snapshot { version: None, x },
            previous: Snapshot::default(),
            open: VecDeque::with_capacity(MAX_OPEN_TASKS),
            step: Step::default(),
        }
    }

    fn take_task(&mut self, task: Task) -> Result<(), VolunteerError> {
        if self.open.len() >= MAX_OPEN_TASKS {
            return Err(VolunteerError::TooManyTasks);
        }
        self.open.push_back(task);
        Ok(())
    }

    /// Keeps the parameters of the current version, before they change, if an open task needs them.
    fn keep_current(&mut self) {
        let Snapshot { version, x } = &self.current;
        let is_needed = |task: &Task| Some(task.snapshot_version) == *version;
        if self.open.iter().any(is_needed) {
            self.previous.version = *version;
            self.previous.x.clone_from(x);
        }
    }

    fn take_snapshot(&mut self, snapshot: SnapshotBody<'_>) -> Result<(), VolunteerError> {
        let expected = self.computer.settings().directions.parameters();
        let found = snapshot.parameters();
        if expected != found {
            return Err(VolunteerError::SnapshotSize { expected, found });
        }
        self.keep_current();
        self.current.version = None;
        snapshot.unpack(&mut self.current.x)?;
        self.current.version = Some(snapshot.version);
        Ok(())
    }

    fn take_delta(&mut self, delta: DeltaBody<'_>) -> Result<(), VolunteerError> {
        if self.current.version != Some(delta.base) {
            return Err(self.missing(delta.base));
        }
        self.keep_current();
        self.current.version = None;
        let computer = &mut self.computer;
        let x = &mut self.current.x;
        let count = computer.settings().directions.count();
        delta.for_each_step(count, &mut self.step, |step| computer.take_step(step, x))?;
        self.current.version = Some(delta.version);
        Ok(())
    }

    fn missing(&self, found: u64) -> VolunteerError {
        VolunteerError::SnapshotVersion {
            expected: self.current.version,
            found,
        }
    }

    fn compute_update(&mut self, task: &Task, data: &Dataset) -> Result<&SignBits, VolunteerError> {
        self.open.retain(|open| open.id != task.id);
        let version = Some(task.snapshot_version);
        let snapshots = [&self.current, &self.previous];
        let Some(snapshot) = snapshots.into_iter().find(|held| held.version == version) else {
            return Err(self.missing(task.snapshot_version));
        };
        let signs = self.computer.compute(task, &snapshot.x, data);
        signs.ok_or(VolunteerError::NonFinite {
            version: task.snapshot_version,
        })
    }
}
