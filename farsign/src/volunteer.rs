//! A volunteer without its socket: frames in, frames out.
//!
//! The browser and the native program both drive this; neither knows the algorithm or the protocol. Buffers are
//! made when the settings come and used for every task, so memory does not grow.

use crate::answer::Answerer;
use crate::dataset::Dataset;
use crate::sign::SignBits;
use crate::step::Step;
use crate::task::{Goodbye, RejectReason, RunSettings, Task};
use crate::wire::{
    ClientFrame, DeltaBody, ServerRecord, SnapshotBody, Welcome, WireError, read_server_frame,
};
use std::sync::Arc;

/// Longest time for which a server that goes slow holds a task back, in milliseconds.
pub const MOST_REST_MS: u64 = 60_000;

/// What a frame from the server brought, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The session has begun.
    Joined,
    /// An answer was applied; with the number of accepted messages of the run.
    Accepted(u64),
    /// An answer was not applied.
    Rejected(RejectReason),
    /// There is a task to work on: call [`Volunteer::answer`].
    Task(Task),
    /// The server ends the session.
    Goodbye(Goodbye),
}

/// Why a volunteer cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VolunteerError {
    /// The frame cannot be read.
    #[error("cannot read the server's message: {0}")]
    Wire(#[from] WireError),
    /// The server trains on other data.
    #[error("the server's training data is not the data this volunteer loaded; load it again")]
    OtherData,
    /// A record before the welcome.
    #[error("expected a welcome first")]
    NoWelcome,
    /// A snapshot of another size than the model.
    #[error("expected a snapshot of {expected} parameters, found {found}")]
    SnapshotSize {
        /// `d`.
        expected: usize,
        /// Parameters in the snapshot.
        found: usize,
    },
    /// A task or steps for a snapshot this volunteer does not have.
    #[error("expected a task or steps for snapshot {expected:?}, found {found}")]
    SnapshotVersion {
        /// The snapshot at hand.
        expected: Option<u64>,
        /// The one the task names.
        found: u64,
    },
    /// A loss or gradient that is not finite; nothing is sent.
    #[error("the estimate at snapshot {version} is not finite")]
    NonFinite {
        /// The snapshot.
        version: u64,
    },
}

/// A volunteer's state between frames.
#[derive(Debug)]
pub struct Volunteer {
    data: Arc<Dataset>,
    session: Option<Session>,
}

/// What lives as long as a session.
#[derive(Debug)]
struct Session {
    answerer: Answerer,
    /// Parameters of the snapshot, `[d]`, and its version.
    x: Vec<f32>,
    version: Option<u64>,
    /// A step on its way into `x`.
    step: Step,
}

impl Volunteer {
    /// A volunteer with the training data at hand.
    pub fn new(data: Arc<Dataset>) -> Self {
        Self { data, session: None }
    }

    /// Takes in a frame from the server and adds what it brought to `events`.
    ///
    /// # Errors
    /// When the frame cannot be read or does not fit the session; the connection is of no use then.
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

    /// Works on a task: the signs to send.
    ///
    /// # Errors
    /// When the snapshot of the task is not at hand, or the estimate is not finite.
    pub fn work(&mut self, task: &Task) -> Result<&SignBits, VolunteerError> {
        let data = Arc::clone(&self.data);
        self.work_on(task, &data)
    }

    /// Works on a task with other data than the session is about: what a liar sends whose data are poisoned.
    ///
    /// # Errors
    /// As [`Volunteer::work`].
    pub fn work_on(&mut self, task: &Task, data: &Dataset) -> Result<&SignBits, VolunteerError> {
        self.session()?.work(task, data)
    }

    /// Works on a task and writes the answer's frame into `out`.
    ///
    /// # Errors
    /// As [`Volunteer::work`].
    pub fn answer(&mut self, task: &Task, out: &mut Vec<u8>) -> Result<(), VolunteerError> {
        let signs = self.work(task)?;
        ClientFrame::answer(task.id, signs, out);
        Ok(())
    }

    /// Ends the session; whether there was one.
    pub fn leave(&mut self) -> bool {
        self.session.take().is_some()
    }

    /// Number of parameters of the model, once joined.
    pub fn parameters(&self) -> Option<usize> {
        self.session.as_ref().map(|session| session.answerer.settings().directions.parameters())
    }

    /// Version of the snapshot at hand.
    pub fn snapshot_version(&self) -> Option<u64> {
        self.session.as_ref().and_then(|session| session.version)
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
            return Err(VolunteerError::OtherData);
        }
        self.session = Some(Session::new(settings));
        Ok(())
    }
}

impl Session {
    fn new(settings: RunSettings) -> Self {
        let x = Vec::with_capacity(settings.directions.parameters());
        Self { answerer: Answerer::new(settings), x, version: None, step: Step::default() }
    }

    fn take_snapshot(&mut self, snapshot: SnapshotBody<'_>) -> Result<(), VolunteerError> {
        let (expected, found) = (self.answerer.settings().directions.parameters(), snapshot.parameters());
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
        let (answerer, x) = (&mut self.answerer, &mut self.x);
        let count = answerer.settings().directions.count();
        delta.for_each_step(count, &mut self.step, |step| answerer.take_step(step, x))?;
        self.version = Some(delta.version);
        Ok(())
    }

    fn require_version(&self, found: u64) -> Result<(), VolunteerError> {
        match self.version {
            Some(version) if version == found => Ok(()),
            expected => Err(VolunteerError::SnapshotVersion { expected, found }),
        }
    }

    fn work(&mut self, task: &Task, data: &Dataset) -> Result<&SignBits, VolunteerError> {
        self.require_version(task.snapshot_version)?;
        let answer = self.answerer.answer(task, &self.x, data);
        answer.ok_or(VolunteerError::NonFinite { version: task.snapshot_version })
    }
}
