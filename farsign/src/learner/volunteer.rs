//! The learner's state of one volunteer.

use std::sync::Arc;

use crate::identity::VolunteerIdentity;
use crate::learner::event::VerificationJob;
use crate::learner::record::GatewayId;
use crate::learner::trust_store::TrustRecord;
use crate::rollback::UnverifiedUpdates;
use crate::task::TaskId;
use crate::verification::VerificationChain;

/// A volunteer that is connected, or that left while a verification of its updates is running.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct VolunteerState {
    pub identity: Option<VolunteerIdentity>,
    pub gateway: GatewayId,
    pub record: TrustRecord,
    /// Number of the newest task that was closed; 0 before the first.
    pub closed: u64,
    pub chain: VerificationChain,
    /// The verification that is running. There is one at a time, so a busy verifier falls behind by one per volunteer.
    pub running: Option<Arc<VerificationJob>>,
    /// Steps to roll back if verification fails.
    pub unverified: UnverifiedUpdates,
}

impl VolunteerState {
    /// Returns the positions of the updates that the state refers to.
    pub fn references(&self) -> impl Iterator<Item = u64> {
        let running = self.running.iter().flat_map(|job| &job.segment.updates);
        let recorded = self.chain.updates().iter().chain(running);
        let recorded = recorded.map(|update| update.position);
        recorded.chain(self.unverified.iter().map(|update| update.position))
    }

    /// Forgets all updates that are not verified yet.
    pub fn forget_updates(&mut self) {
        self.chain = VerificationChain::default();
        self.running = None;
        self.unverified = UnverifiedUpdates::default();
    }

    /// Records a passed verification, whose last update is that of `last`.
    pub fn record_pass(&mut self, last: TaskId) {
        self.record.record_pass();
        self.unverified.mark_verified(last);
    }
}
