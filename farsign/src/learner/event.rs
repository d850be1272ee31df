//! Outputs of the learner.

use crate::identity::VolunteerIdentity;
use crate::learner::record::{Verdict, VerdictOutcome};
use crate::learner::trust_store::TrustRecord;
use crate::step::Step;
use crate::task::{GoodbyeReason, TaskId, VolunteerId};
use crate::verification::ChainSegment;

/// A change that the caller journals, logs or forwards to a session, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum LearnerEvent {
    /// The optimizer has added a volunteer.
    Joined(VolunteerId),
    /// The optimizer has removed a volunteer.
    Left(VolunteerId),
    /// A step that rolls back an update of a volunteer was applied.
    RolledBack {
        /// The sender of the update.
        volunteer: VolunteerId,
        /// The applied step.
        step: Step,
    },
    /// An identity is banned, because one of its updates failed verification.
    Banned(VolunteerIdentity),
    /// An update failed verification.
    VerificationFailed {
        /// The sender of the update.
        volunteer: VolunteerId,
        /// The task of the update.
        task: TaskId,
    },
    /// A volunteer is ejected: its session ends, unless it has ended already.
    Ejected {
        /// The volunteer.
        volunteer: VolunteerId,
        /// The reason for its session.
        reason: GoodbyeReason,
        /// Its record at that time.
        record: TrustRecord,
    },
    /// A sampled update is not verified: another verification of its sender was running until the next reset, or something
    /// that verification needs is missing.
    VerificationSkipped(VolunteerId),
}

/// Updates of a volunteer that are to be recomputed.
#[derive(Clone, Debug, PartialEq)]
pub struct VerificationJob {
    /// The sender of the updates.
    pub volunteer: VolunteerId,
    /// The sender's identity, if it sent one.
    pub identity: Option<VolunteerIdentity>,
    /// The updates, with everything they depend on.
    pub segment: ChainSegment,
}

impl VerificationJob {
    /// Returns the verdict of a verification, from the index of the first mismatch.
    pub fn verified(&self, mismatch: Option<usize>) -> Verdict {
        self.verdict(mismatch.map_or(VerdictOutcome::Passed, |index| {
            VerdictOutcome::Failed(self.segment.updates[index].task.id)
        }))
    }

    /// Returns a verdict on the updates.
    pub fn verdict(&self, outcome: VerdictOutcome) -> Verdict {
        Verdict {
            volunteer: self.volunteer,
            last: self.last_task(),
            outcome,
        }
    }

    /// Returns the task of the last update.
    pub fn last_task(&self) -> TaskId {
        self.segment.updates[self.segment.updates.len() - 1].task.id
    }
}
