//! Reports of the learner about volunteers, on request.

use std::collections::HashMap;

use farsign::identity::VolunteerIdentity;
use farsign::learner::TrustRecord;
use farsign::task::VolunteerId;
use futures_util::future::BoxFuture;

/// What the learner knows of a connected volunteer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VolunteerReport {
    /// Its trust and its credit.
    pub record: TrustRecord,
    /// Recently accepted updates per second.
    pub accepted_per_s: f64,
    /// Seconds since the last accepted update, or since joining.
    pub idle_s: f64,
    /// Fraction of the recent total weight, 0 to 1.
    pub weight_fraction: f64,
    /// Average number of updates of others accepted between a task's version and its update.
    pub staleness: Option<f64>,
    /// Fraction of signs equal to simultaneous updates of others, 0 to 1. `None` if updates are not comparable.
    pub agreement: Option<f64>,
}

/// The error of a request for a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a report of the learner, found no learner")]
pub struct NoLearner;

/// Requests for reports of the learner.
pub trait Reports: std::fmt::Debug + Send + Sync {
    /// Returns what the learner knows of each connected volunteer.
    ///
    /// # Errors
    /// Returns an error if there is no learner.
    fn volunteers(
        &self,
    ) -> BoxFuture<'static, Result<HashMap<VolunteerId, VolunteerReport>, NoLearner>>;

    /// Returns the accepted updates of each identity over all its sessions.
    ///
    /// # Errors
    /// Returns an error if there is no learner.
    fn accepted_counts(
        &self,
        identities: Vec<VolunteerIdentity>,
    ) -> BoxFuture<'static, Result<HashMap<VolunteerIdentity, u64>, NoLearner>>;
}
