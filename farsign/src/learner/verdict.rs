//! Verdicts on updates, and what follows from them.

use std::sync::Arc;

use super::{
    InjectedFault, Learner, LearnerEvent, Record, Verdict, VerdictOutcome, VerificationJob,
};
use crate::attachment::Attached;
use crate::momentum::Momentum;
use crate::task::VolunteerId;

/// What a verification result led to.
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

/// The result of a [`VerificationJob`].
#[derive(Clone, Debug, PartialEq)]
pub struct VerificationResult {
    /// What was found.
    pub verdict: Verdict,
    /// Momentum after the last update, from which the next verification continues.
    pub momentum: Attached<Arc<Momentum>>,
}

impl VerificationResult {
    /// Creates the result of a job from the position of the first mismatch and the momentum after the last update.
    pub fn new(job: &VerificationJob, mismatch: Option<usize>, momentum: Momentum) -> Self {
        let outcome = mismatch.map_or(VerdictOutcome::Passed, |position| {
            VerdictOutcome::Failed(job.segment.updates[position].task.id)
        });
        Self {
            verdict: job.verdict(outcome),
            momentum: Arc::new(momentum).into(),
        }
    }

    /// Creates the result of a job that was not computed.
    pub fn skipped(job: &VerificationJob) -> Self {
        job.verdict(VerdictOutcome::Skipped).into()
    }
}

impl From<Verdict> for VerificationResult {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            momentum: Attached::default(),
        }
    }
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

    /// Handles the result of a verification. A result of a verification that is not running is ignored.
    ///
    /// A passed verification adds to the sender's trust. A failed one ejects the sender, bans its identity and rolls its
    /// unverified updates back. After a skipped one, nothing of the volunteer is verified until its next reset.
    pub fn handle_verification(&mut self, result: &VerificationResult) -> VerificationOutcome {
        let Verdict {
            volunteer,
            last,
            outcome,
        } = result.verdict;
        self.begin(Record::Verdict(result.verdict));
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
                let momentum = result.momentum.clone();
                state.chain.set_momentum(job.segment.reset, momentum);
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
