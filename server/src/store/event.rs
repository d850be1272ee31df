//! The saved values of a run.

use std::sync::Arc;

use farsign::identity::VolunteerIdentity;
use farsign::keys::RunKeys;
pub use farsign::learner::TrustRecord;
use farsign::optimizer::{FarSign, FarSignOptions, FarSignState};
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::{RunSettings, Task, VolunteerId};
use farsign::trust::TrustMean;

/// The identity of a run; it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunIdentity {
    /// Seed of everything that volunteers may know.
    pub seed: u64,
    /// Keys of everything that they must not foresee.
    pub keys: RunKeys,
    /// Public id of the run.
    pub run_id: u64,
    /// SHA-256 of the uncompressed training files, images then labels.
    pub train_digest: [u8; 32],
    /// The pinned settings as TOML: every setting that decides the effect of an update, and the data directory.
    pub settings: String,
}

impl RunIdentity {
    /// Creates the identity of a run from its seed, its keys and its pinned settings.
    pub fn new(seed: u64, keys: RunKeys, run: &RunSettings, settings: String) -> Self {
        Self {
            seed,
            keys,
            run_id: run.run_id,
            train_digest: run.train_digest,
            settings,
        }
    }
}

/// An event that changed the optimizer. Replaying the events of a run in order reproduces each of its states.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A volunteer joined.
    Join(VolunteerId),
    /// A volunteer left.
    Leave(VolunteerId),
    /// An update moved the model.
    Accepted(Accepted),
    /// A step of a volunteer was rolled back.
    RolledBack {
        /// The volunteer of the step.
        volunteer: VolunteerId,
        /// The opposite step.
        step: Step,
    },
}

impl Event {
    /// Returns the volunteer that the event is about.
    pub fn volunteer(&self) -> VolunteerId {
        match self {
            Self::Join(volunteer) | Self::Leave(volunteer) | Self::RolledBack { volunteer, .. } => {
                *volunteer
            }
            Self::Accepted(accepted) => accepted.volunteer,
        }
    }
}

/// An update as the optimizer applied it.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// Sender of the update.
    pub volunteer: VolunteerId,
    /// Task of the update, with everything else that the update depends on.
    pub task: Task,
    /// Trust, a factor on the weight of the sender.
    pub trust: f32,
    /// One sign per direction.
    pub signs: Arc<SignBits>,
}

/// The new trust of a volunteer; `None` if the volunteer is removed from the store.
pub type TrustChange = (VolunteerIdentity, Option<TrustRecord>);

/// The state besides the optimizer that decides future tasks, so that no number is used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CoordinatorCounters {
    /// Position of the newest record, from which the numbers of later volunteers follow.
    pub position: u64,
    /// Number of the newest version.
    pub version: u64,
    /// Running mean of the senders' trust.
    pub trust_mean: f32,
}

impl CoordinatorCounters {
    /// Returns counters beyond all that may have been used since, for a run that lost its last events.
    #[must_use]
    pub fn skip(self) -> Self {
        Self {
            position: self.position + (1 << 32),
            version: self.version + (1 << 32),
            ..self
        }
    }
}

/// A position in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPosition {
    /// Number of the last event, from 1.
    pub sequence: u64,
    /// Bytes of all events so far, deleted ones included.
    pub bytes: u64,
}

/// The whole state of a run at one moment, besides its identity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Position in the log.
    pub position: LogPosition,
    /// State that decides future tasks.
    pub counters: CoordinatorCounters,
    /// State of the optimizer.
    pub state: FarSignState,
}

impl Checkpoint {
    /// Creates the state of a run before its first update.
    pub fn initial(optimizer: FarSignOptions) -> Self {
        let counters = CoordinatorCounters {
            trust_mean: TrustMean::default().0,
            ..CoordinatorCounters::default()
        };
        Self {
            position: LogPosition::default(),
            counters,
            state: FarSign::new(optimizer).state(),
        }
    }
}
