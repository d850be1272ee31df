//! What is saved of a run, as plain values.

use farsign::optimizer::FarSignState;
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::{TaskId, VolunteerId};
use farsign::trust::Trust;

use crate::admission;

/// What a run is, from its first contribution to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The seed that everything random comes from.
    pub seed: u64,
    /// Public name of the run.
    pub run_id: u64,
    /// SHA-256 over the unpacked training files, images then labels.
    pub train_digest: [u8; 32],
    /// Everything that decides what a contribution does, and where the data was, as TOML.
    pub settings: String,
}

/// Something that changed the optimizer. The events of a run, in order, lead from one state of it to every later one.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A volunteer was taken up.
    Join(VolunteerId),
    /// A volunteer was forgotten.
    Leave(VolunteerId),
    /// A contribution moved the model.
    Accepted(Accepted),
    /// A step was taken that takes back one of a volunteer.
    Undone {
        /// Whose step it was.
        volunteer: VolunteerId,
        /// What took it back.
        step: Step,
    },
}

impl Event {
    /// Whose doing it was.
    pub fn volunteer(&self) -> VolunteerId {
        match self {
            Self::Join(volunteer) | Self::Leave(volunteer) | Self::Undone { volunteer, .. } => *volunteer,
            Self::Accepted(accepted) => accepted.volunteer,
        }
    }
}

/// A contribution as the optimizer took it.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// Who sent it.
    pub volunteer: VolunteerId,
    /// The task it answered.
    pub task: TaskId,
    /// Seed of the task's directions.
    pub direction_seed: u64,
    /// Factor on the weight of the sender.
    pub trust: f32,
    /// One sign per direction.
    pub signs: SignBits,
}

/// What a volunteer has earned, over all its sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credit {
    /// Checks it has passed.
    pub trust: Trust,
    /// Answers of it that were accepted.
    pub accepted: u64,
}

/// What a volunteer has earned by now; none: it is forgotten.
pub type CreditChange = (admission::identity::Identity, Option<Credit>);

/// What decides the tasks to come besides the optimizer, so that no number and no seed is ever used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cursor {
    /// Volunteers that have joined; the last one's number.
    pub joined: u64,
    /// Tasks issued; the last one's number.
    pub issued: u64,
    /// Version of the newest snapshot.
    pub version: u64,
    /// Running mean of the trust in senders.
    pub trust_mean: f32,
    /// 32-bit words drawn from the generator of the tasks.
    pub words_drawn: u128,
    /// Number and seed of the current minibatch window, under `vote`.
    pub window: Option<(u64, u64)>,
}

impl Cursor {
    /// Far past all that may have been used since, where that is not known any more.
    #[must_use]
    pub fn skip(self) -> Self {
        const FAR: u64 = 1 << 32;
        Self {
            joined: self.joined + FAR,
            issued: self.issued + FAR,
            version: self.version + FAR,
            words_drawn: self.words_drawn + (1 << 40),
            window: None,
            ..self
        }
    }
}

/// How far the log goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Number of the last event, from 1.
    pub sequence: u64,
    /// Bytes of all events so far, those forgotten since included.
    pub bytes: u64,
}

/// A run at one moment: all that is needed to go on, besides its identity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The events that led to it.
    pub head: Head,
    /// What decides the tasks to come.
    pub cursor: Cursor,
    /// The optimizer.
    pub state: FarSignState,
}
