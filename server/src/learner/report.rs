//! Reports about volunteers.

use std::time::Instant;

use super::LearnerTask;
use crate::run::embedded::ReportRequest;

impl LearnerTask {
    /// Replies to a request. Its sender may have gone.
    pub(super) fn report(&self, request: ReportRequest) {
        match request {
            ReportRequest::Volunteers(reply) => {
                let record = |volunteer| self.learner.record(volunteer).unwrap_or_default();
                _ = reply.send(self.telemetry.reports(Instant::now(), record));
            }
            ReportRequest::AcceptedCounts(identities, reply) => {
                let count = |identity| (identity, self.learner.accepted(identity));
                _ = reply.send(identities.into_iter().map(count).collect());
            }
        }
    }
}
