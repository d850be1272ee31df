//! Verdicts on updates, and what follows from them.

use std::sync::Arc;

use super::{
    InjectedFault, Learner, LearnerEvent, Record, Verdict, VerdictOutcome, VerificationJob,
};
use crate::task::VolunteerId;

/// What a verdict led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerificationOutcome {
    /// The sender's trust has grown.
    Passed,
    /// The sender was ejected, and its unverified updates were rolled back.
    Failed,
    /// The updates stay unverified.
    Skipped,
    /// The verification was not running any more.
    Ignored,
}

impl Learner {
    /// Queues the verification of a volunteer's sampled updates, unless another one is running. There is one at a time,
    /// because each continues the momentum of the one before it.
    pub(super) fn queue_verification(&mut self, volunteer: VolunteerId) {
        let state = self.volunteers.get_mut(&volunteer);
        let Some(state) = state.filter(|state| state.running.is_none()) else {
            return;
        };
        if let Some(segment) = state.chain.take_sampled() {
            let job = Arc::new(VerificationJob {
                volunteer,
                identity: state.identity,
                segment,
            });
            state.running = Some(Arc::clone(&job));
            self.jobs.push_back(job);
        }
    }

    /// Handles the verdict of a verification. A verdict of a verification that is not running is ignored.
    ///
    /// A passed verification adds to the sender's trust. A failed one ejects the sender, bans its identity and rolls its
    /// unverified updates back. After a skipped one, nothing of the volunteer is verified until its next reset.
    pub fn handle_verdict(&mut self, verdict: Verdict) -> VerificationOutcome {
        let Verdict {
            volunteer,
            last,
            outcome,
        } = verdict;
        self.begin(Record::Verdict(verdict));
        let connected = self.volunteers.get_mut(&volunteer);
        let Some(state) = connected.or_else(|| self.departed.get_mut(&volunteer)) else {
            return VerificationOutcome::Ignored;
        };
        let Some(job) = state.running.take_if(|job| job.last_task() == last) else {
            return VerificationOutcome::Ignored;
        };
        let is_disabled = self.options.fault == Some(InjectedFault::VerificationDisabled);
        match outcome {
            VerdictOutcome::Skipped => {
                state.chain.stop();
                self.departed.remove(&volunteer);
                self.on_skipped(volunteer);
                VerificationOutcome::Skipped
            }
            VerdictOutcome::Failed(task) if !is_disabled => {
                self.on_failed(volunteer, job.identity, task);
                VerificationOutcome::Failed
            }
            VerdictOutcome::Failed(_) | VerdictOutcome::Passed => {
                self.on_passed(volunteer, job.identity, last);
                self.queue_verification(volunteer);
                VerificationOutcome::Passed
            }
        }
    }

    pub(super) fn on_skipped(&mut self, volunteer: VolunteerId) {
        self.events
            .push_back(LearnerEvent::VerificationSkipped(volunteer));
    }
}
