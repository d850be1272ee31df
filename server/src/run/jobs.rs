//! Jobs for the verifiers of a run.

use std::sync::Arc;

use farsign::learner::VerificationJob;

/// The reason why a job was not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// There is no place for another job.
    #[error("expected a place for a verification, found none")]
    Full,
    /// There is no verifier any more.
    #[error("expected a running verification thread, found that it has stopped")]
    Stopped,
}

/// The learner's side of verification. Verifiers append their verdicts to the log.
pub trait Jobs: std::fmt::Debug + Send {
    /// Offers a job to the verifiers, without waiting.
    ///
    /// # Errors
    /// Returns an error if no verifier can take it.
    fn offer(&mut self, job: &Arc<VerificationJob>) -> Result<(), OfferError>;
}
