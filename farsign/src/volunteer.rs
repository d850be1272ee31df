//! The state machine of a volunteer, without I/O: frames in, frames out.
//!
//! The browser and the native program drive it; neither contains the algorithm or the protocol. Buffers are allocated
//! at the welcome and reused for every task, so memory does not grow.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use farsign::dataset::{Dataset, DatasetParts, ShardedDataset};
//! use farsign::volunteer::{Event, Volunteer};
//! # use farsign::direction::{DirectionFamily, DirectionSpec};
//! # use farsign::estimate::Order;
//! # use farsign::model::Architecture;
//! # use farsign::task::{RunSettings, Task, TaskId, VolunteerId};
//! # use farsign::wire::{EncodedSnapshot, ServerFrame};
//!
//! let parts = DatasetParts { rows: 1, cols: 2, images: vec![255, 0, 0, 255], labels: vec![0, 1] };
//! let data = ShardedDataset::from(Arc::new(Dataset::from_parts(parts)?));
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

use crate::dataset::ShardedDataset;
use crate::sign::SignBits;
use crate::sign_update::UpdateComputer;
use crate::step::Step;
use crate::task::{Goodbye, RejectReason, RunSettings, Task};
use crate::wire::{
    ClientFrame, DeltaBody, ServerRecord, SnapshotBody, Welcome, WireError, read_server_frame,
};

/// Longest time for which a server that throttles a volunteer delays its task, in milliseconds.
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
    /// A task was received. Its update is computed by [`Volunteer::write_update`].
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
    /// A task before the first shard of the training data.
    #[error("expected a task after the first shard of the training data, found it before")]
    NoShards,
    /// A record before the welcome.
    #[error("expected a welcome first")]
    NoWelcome,
    /// A snapshot whose size is not that of the model.
    #[error("expected a snapshot of {expected} parameters, found {found}")]
    SnapshotSize { expected: usize, found: usize },
    /// A task or steps for a snapshot that the volunteer does not have.
    #[error("expected a task or steps for snapshot {expected:?}, found {found}")]
    SnapshotVersion { expected: Option<u64>, found: u64 },
    /// A loss or gradient that is not finite. No update is sent.
    #[error("the estimate at snapshot {version} is not finite")]
    NonFinite { version: u64 },
}

/// A volunteer: the state between frames.
#[derive(Debug)]
pub struct Volunteer {
    data: ShardedDataset,
    session: Option<Session>,
}

/// The state of a session.
#[derive(Debug)]
struct Session {
    computer: UpdateComputer,
    /// Parameters of the current snapshot, `[d]`.
    x: Vec<f32>,
    /// Version of the current snapshot. `None` before the first, or if the last one was incomplete.
    version: Option<u64>,
    /// Buffer of a received step.
    step: Step,
}

impl Volunteer {
    /// Creates a volunteer with its training data, which may lack shards.
    pub fn new(data: impl Into<ShardedDataset>) -> Self {
        Self {
            data: data.into(),
            session: None,
        }
    }

    /// Takes more shards of the same training data: the next task draws from them. Other or fewer data is ignored.
    pub fn grow(&mut self, data: &ShardedDataset) {
        if data.digest() == self.data.digest() && data.held() > self.data.held() {
            self.data = data.clone();
        }
    }

    /// Returns the number of shards that the volunteer holds: the first ones in the list.
    pub fn held_shards(&self) -> usize {
        self.data.held()
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
                ServerRecord::Task(task) => events.push(Event::Task(task)),
                ServerRecord::Accepted { accepted, .. } => events.push(Event::Accepted(accepted)),
                ServerRecord::Rejected { reason, .. } => events.push(Event::Rejected(reason)),
                ServerRecord::Goodbye(goodbye) => events.push(Event::Goodbye(goodbye)),
            }
        }
        Ok(())
    }

    /// Computes the update of a task, `[K]`.
    ///
    /// # Errors
    ///
    /// Returns an error if the task's snapshot is not the current one, or the estimate is not finite.
    pub fn compute_update(&mut self, task: &Task) -> Result<&SignBits, VolunteerError> {
        let data = self.data.clone();
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
        data: &ShardedDataset,
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
        self.session.as_ref().and_then(|session| session.version)
    }

    fn session(&mut self) -> Result<&mut Session, VolunteerError> {
        self.session.as_mut().ok_or(VolunteerError::NoWelcome)
    }

    fn welcome(&mut self, welcome: Welcome) -> Result<(), VolunteerError> {
        let settings = welcome.settings;
        let list = self.data.list();
        let fits = settings.train_digest == list.digest()
            && settings.architecture.inputs() == list.pixels()
            && settings.architecture.classes() >= list.classes();
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
            x,
            version: None,
            step: Step::default(),
        }
    }

    fn take_snapshot(&mut self, snapshot: SnapshotBody<'_>) -> Result<(), VolunteerError> {
        let expected = self.computer.settings().directions.parameters();
        let found = snapshot.parameters();
        if expected != found {
            return Err(VolunteerError::SnapshotSize { expected, found });
        }
        self.version = None;
        snapshot.unpack(&mut self.x)?;
        self.version = Some(snapshot.version);
        Ok(())
    }

    fn take_delta(&mut self, delta: DeltaBody<'_>) -> Result<(), VolunteerError> {
        self.require_version(delta.base)?;
        self.version = None;
        let computer = &mut self.computer;
        let x = &mut self.x;
        let count = computer.settings().directions.count();
        delta.for_each_step(count, &mut self.step, |step| computer.take_step(step, x))?;
        self.version = Some(delta.version);
        Ok(())
    }

    fn require_version(&self, found: u64) -> Result<(), VolunteerError> {
        match self.version {
            Some(version) if version == found => Ok(()),
            expected => Err(VolunteerError::SnapshotVersion { expected, found }),
        }
    }

    fn compute_update(
        &mut self,
        task: &Task,
        data: &ShardedDataset,
    ) -> Result<&SignBits, VolunteerError> {
        self.require_version(task.snapshot_version)?;
        let images = data.all().ok_or(VolunteerError::NoShards)?;
        let signs = self.computer.compute(task, &self.x, images);
        signs.ok_or(VolunteerError::NonFinite {
            version: task.snapshot_version,
        })
    }
}
