//! The horizon: how far back an update can be verified and rolled back.
//!
//! Without it, the log of a run could never be shortened: a volunteer that sends an update a day has unverified updates of
//! two weeks ago.

use super::{Learner, VolunteerState};
use crate::task::VolunteerId;
use crate::verification::Lost;

/// Records after which an unverified update is forgotten, in the product.
pub const HORIZON: u64 = 65_536;

impl Learner {
    /// Notes that the state of a volunteer refers to the update at a position.
    pub(super) fn refer(&mut self, position: u64, volunteer: VolunteerId) {
        self.references.push_back((position, volunteer));
    }

    /// Forgets the updates that are beyond the horizon.
    pub(super) fn forget_old(&mut self) {
        let oldest = (self.position + 1).saturating_sub(self.options.horizon);
        while let Some((position, volunteer)) = self
            .references
            .pop_front_if(|(position, _)| *position < oldest)
        {
            self.forget(volunteer, position);
        }
    }

    fn forget(&mut self, volunteer: VolunteerId, position: u64) {
        let connected = self.volunteers.get_mut(&volunteer);
        let is_connected = connected.is_some();
        let Some(state) = connected.or_else(|| self.departed.get_mut(&volunteer)) else {
            return;
        };
        let is_lost = state.forget(position) == Lost::Sampled;
        if state.running.is_none() && !is_connected {
            self.departed.remove(&volunteer);
        }
        if is_lost {
            self.on_skipped(volunteer);
        }
    }
}

impl VolunteerState {
    /// Forgets the updates up to a position.
    fn forget(&mut self, position: u64) -> Lost {
        self.unverified.forget(position);
        let mut lost = self.chain.forget(position);
        let first = |job: &mut std::sync::Arc<super::VerificationJob>| {
            job.segment.updates[0].position <= position
        };
        if self.running.take_if(first).is_some() {
            self.chain.stop(); // it would continue the momentum of that verification
            lost = Lost::Sampled;
        }
        lost
    }
}
