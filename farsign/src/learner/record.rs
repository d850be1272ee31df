//! Inputs of the learner.

use std::sync::Arc;

use crate::identity::VolunteerIdentity;
use crate::sign::SignBits;
use crate::task::{GoodbyeReason, Task, TaskId, VolunteerId};

/// An input of the learner. The records of a run in their order are the run.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A volunteer has joined.
    Join {
        /// Its identity, if it sent one.
        identity: Option<VolunteerIdentity>,
        /// The gateway of its session.
        gateway: GatewayId,
    },
    /// A volunteer's update has come.
    Update {
        /// The sender.
        volunteer: VolunteerId,
        /// The task, with everything else that the update depends on.
        task: Task,
        /// One sign per direction. `None` if the update was malformed, so that only its volunteer's momentum continues.
        signs: Option<Arc<SignBits>>,
    },
    /// A volunteer has left.
    Leave(VolunteerId),
    /// A gateway has failed, and with it the sessions of its volunteers.
    GatewayLost(GatewayId),
    /// A volunteer is ejected, by the operator or by the server of its session.
    Eject {
        /// The volunteer.
        volunteer: VolunteerId,
        /// The reason for its session.
        reason: GoodbyeReason,
    },
    /// Updates were verified.
    Verdict(Verdict),
    /// The operator has chosen another probability, in `(0, 1]`, that an update of an established volunteer is verified.
    VerifyProbability(f64),
}

/// The id of a gateway, which holds sessions of volunteers. Each start of one has another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayId(pub u64);

/// What a verification of a volunteer's updates has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The sender of the updates.
    pub volunteer: VolunteerId,
    /// The task of the last update.
    pub last: TaskId,
    /// What was found.
    pub outcome: VerdictOutcome,
}

/// The outcome of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerdictOutcome {
    /// All updates are correct.
    Passed,
    /// The update of this task differs from the recomputed one.
    Failed(TaskId),
    /// The updates were not recomputed, for lack of time, or of something that it needs.
    Skipped,
}
