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
//! use farsign::dataset::{Dataset, DatasetParts, ShardedDataset};
//! use farsign::volunteer::{Event, Volunteer};
//! # use farsign::direction::{DirectionFamily, DirectionSpec};
//! # use farsign::estimate::Order;
//! # use farsign::model::Architecture;
//! # use farsign::task::{RunSettings, Task, TaskId, VolunteerId};
//! # use farsign::fixed_point::FixedPoint;
//! # use farsign::version::{Grid, Version};
//! # use farsign::wire::{EncodedVersion, ServerFrame};
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
//! # let grid = Grid { fixed_point: FixedPoint::new(20).unwrap(), shift: 3 };
//! # let version = Version::round(0, 0, &[0; 6], grid);
//! # let task = Task {
//! #     id: TaskId(1),
//! #     version: version.hash(),
//! #     minibatch_seed: 11,
//! #     direction_seed: 12,
//! #     coin_seed: 13,
//! #     images: 8,
//! #     shards: 1,
//! #     reset_momentum: true,
//! # };
//! # let whole = EncodedVersion::new(&version, None);
//! # let mut frame = Vec::new();
//! # ServerFrame::new(&mut frame).welcome(VolunteerId(1), &settings).version(&whole).task(&task);
//!
//! let mut volunteer = Volunteer::new(data);
//! let mut events = Vec::new();
//! volunteer.receive(&frame, &mut events)?; // the server's frame: welcome, version and task
//!
//! let [Event::Joined, Event::Task(task)] = events[..] else { panic!("expected a task") };
//! let mut out = Vec::new();
//! volunteer.write_update(&task, &mut out)?; // the frame to send
//! assert_eq!(out.len(), 14 + 1); // 14 bytes and one bit per direction
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::dataset::{DrawnImages, ShardedDataset};
use crate::sign::SignBits;
use crate::sign_update::UpdateComputer;
use crate::task::{Goodbye, RejectReason, RunSettings, Task, TaskId};
use crate::task_sizing::MAX_OPEN_TASKS;
use crate::version::{Version, VersionError, VersionHash};
use crate::wire::{ClientFrame, ServerRecord, VersionBody, Welcome, WireError, read_server_frame};
use std::collections::VecDeque;

/// Longest time for which a server delays the task of a volunteer that rests or is throttled, in milliseconds.
pub const MAX_TASK_DELAY_MS: u64 = 60_000;

/// Versions that a volunteer holds: that of the task in progress and that of the next one.
const VERSION_CAPACITY: usize = 2;

/// Requests for whole versions in a row before a session ends.
const MAX_VERSION_REQUESTS: u32 = 3;

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
    /// A task was received whose version the volunteer does not hold. [`ClientFrame::version_request`] requests the
    /// version, and another task comes with it.
    VersionMissing(TaskId),
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
    /// A task that draws from shards which the volunteer does not hold.
    #[error(
        "expected a task on at most the {held} shards that this volunteer holds, found one on {expected}"
    )]
    MissingShards { held: usize, expected: u16 },
    /// A record before the welcome.
    #[error("expected a welcome first")]
    NoWelcome,
    /// A version whose size is not that of the model.
    #[error("expected a version of {expected} parameters, found {found}")]
    VersionSize { expected: usize, found: u32 },
    /// Differences that do not fit their base.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// Differences to a version that the volunteer does not hold.
    #[error("expected differences to a version that this volunteer holds, found those to {found}")]
    Base { found: VersionHash },
    /// Versions that repeatedly have other hashes than their tasks.
    #[error("expected version {expected}, found others {attempts} times in a row")]
    Mismatch {
        expected: VersionHash,
        attempts: u32,
    },
    /// A task whose version the volunteer does not hold.
    #[error("expected a task for a version that this volunteer holds, found {found}")]
    UnknownVersion { found: VersionHash },
    /// More open tasks than a session may have.
    #[error("expected at most {MAX_OPEN_TASKS} open tasks, found another")]
    TooManyTasks,
    /// A loss or gradient that is not finite. No update is sent.
    #[error("the estimate at version {version} is not finite")]
    NonFinite { version: VersionHash },
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
    /// The newest versions, oldest first.
    versions: VecDeque<Version>,
    /// Tasks whose update is not computed yet, in order. Their versions are held.
    open: VecDeque<Task>,
    /// Requests for whole versions since the last task whose version was there.
    version_requests: u32,
    /// Parameters of the last task's version, `[d]`, in a buffer that is reused.
    x: Vec<f32>,
    /// Name of that version. `None` before the first task.
    x_version: Option<VersionHash>,
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
                ServerRecord::Version(version) => self.session()?.take_version(version)?,
                ServerRecord::Task(task) => events.push(self.session()?.take_task(task)?),
                ServerRecord::Accepted { message, .. } => events.push(Event::Accepted(message)),
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

    /// Drops a task without computing its update, as a load generator does. A task that is not held is ignored.
    pub fn drop_task(&mut self, task: TaskId) {
        if let Some(session) = &mut self.session {
            session.open.retain(|open| open.id != task);
        }
    }

    /// Computes the update of a task, `[K]`.
    ///
    /// # Errors
    ///
    /// Returns an error if the volunteer does not hold the task's version, or the estimate is not finite.
    pub fn compute_update(&mut self, task: &Task) -> Result<&SignBits, VolunteerError> {
        let session = self.session.as_mut().ok_or(VolunteerError::NoWelcome)?;
        session.compute_update(task, &self.data)
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

    /// Begins the update of a task whose images were drawn elsewhere: [`Volunteer::add_images`] adds all of them, in order.
    ///
    /// # Errors
    ///
    /// Returns an error if the volunteer does not hold the task's version.
    pub fn begin_update(&mut self, task: &Task) -> Result<(), VolunteerError> {
        self.session()?.begin_update(task)
    }

    /// Adds the next images of the task whose update was begun last.
    ///
    /// # Errors
    ///
    /// Returns an error before the welcome.
    pub fn add_images(
        &mut self,
        task: &Task,
        images: DrawnImages<'_>,
    ) -> Result<(), VolunteerError> {
        let session = self.session()?;
        session.computer.add_images(task, &session.x, images);
        Ok(())
    }

    /// Writes the frame of the update that was begun last into `out`, which is cleared first. All its images were added.
    ///
    /// # Errors
    ///
    /// Returns an error if the estimate is not finite.
    pub fn finish_update(&mut self, task: &Task, out: &mut Vec<u8>) -> Result<(), VolunteerError> {
        let signs = self.session()?.finish_update(task)?;
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

    /// Returns the number of the newest version; `None` without one.
    pub fn version(&self) -> Option<u64> {
        let newest = self.session.as_ref()?.versions.back()?;
        Some(newest.number())
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
        Self {
            x: Vec::with_capacity(settings.directions.parameters()),
            x_version: None,
            computer: UpdateComputer::new(settings),
            versions: VecDeque::with_capacity(VERSION_CAPACITY),
            open: VecDeque::with_capacity(MAX_OPEN_TASKS),
            version_requests: 0,
        }
    }

    fn take_version(&mut self, body: VersionBody<'_>) -> Result<(), VolunteerError> {
        let base = match body.base {
            Some(found) => Some(held(&self.versions, found).ok_or(VolunteerError::Base { found })?),
            None => None,
        };
        let d = self.computer.settings().directions.parameters();
        if body.parameters as usize != d {
            return Err(VolunteerError::VersionSize {
                expected: d,
                found: body.parameters,
            });
        }
        let version = Version::from_differences(base, body.number, body.grid, body.differences, d)?;
        if self.versions.len() == VERSION_CAPACITY {
            self.versions.pop_front();
        }
        self.versions.push_back(version);
        Ok(())
    }

    /// Returns the event of a task. A version with another hash than the task's is discarded, and with it the tasks before
    /// this one: the server closes them when it receives the request.
    fn take_task(&mut self, task: Task) -> Result<Event, VolunteerError> {
        if held(&self.versions, task.version).is_some() {
            if self.open.len() >= MAX_OPEN_TASKS {
                return Err(VolunteerError::TooManyTasks);
            }
            self.open.push_back(task);
            self.version_requests = 0;
            return Ok(Event::Task(task));
        }
        self.open.clear();
        self.version_requests += 1;
        if self.version_requests > MAX_VERSION_REQUESTS {
            return Err(VolunteerError::Mismatch {
                expected: task.version,
                attempts: MAX_VERSION_REQUESTS,
            });
        }
        Ok(Event::VersionMissing(task.id))
    }

    fn compute_update(
        &mut self,
        task: &Task,
        data: &ShardedDataset,
    ) -> Result<&SignBits, VolunteerError> {
        self.copy_parameters(task)?;
        let images = data.first(task.shards.into());
        let images = images.ok_or_else(|| VolunteerError::MissingShards {
            held: data.held(),
            expected: task.shards,
        })?;
        self.open.retain(|open| open.id != task.id);
        let signs = self.computer.compute(task, &self.x, images);
        signs.ok_or(VolunteerError::NonFinite {
            version: task.version,
        })
    }

    fn begin_update(&mut self, task: &Task) -> Result<(), VolunteerError> {
        self.copy_parameters(task)?;
        self.computer.begin();
        Ok(())
    }

    fn finish_update(&mut self, task: &Task) -> Result<&SignBits, VolunteerError> {
        self.open.retain(|open| open.id != task.id);
        let signs = self.computer.finish(task, &self.x);
        signs.ok_or(VolunteerError::NonFinite {
            version: task.version,
        })
    }

    fn copy_parameters(&mut self, task: &Task) -> Result<(), VolunteerError> {
        let found = task.version;
        let version =
            held(&self.versions, found).ok_or(VolunteerError::UnknownVersion { found })?;
        if self.x_version.replace(found) != Some(found) {
            version.copy_parameters(&mut self.x);
        }
        Ok(())
    }
}

/// Returns the version of this name; `None` if it is not among them.
fn held(versions: &VecDeque<Version>, hash: VersionHash) -> Option<&Version> {
    versions.iter().find(|version| version.hash() == hash)
}
