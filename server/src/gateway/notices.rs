//! Notices of the learner about volunteers.

use farsign::learner::TrustRecord;
use farsign::task::{GoodbyeReason, TaskId, VolunteerId};

use super::Gateway;
use crate::admission::bans::Ban;
use crate::run::board::Notice;

impl Gateway {
    pub(super) fn handle_notice(&mut self, notice: Notice) {
        match notice {
            Notice::Banned(identity) => self.links.admission.ban(Ban::Identity(identity)),
            Notice::VerificationFailed { volunteer, task } => self.log_failed(volunteer, task),
            Notice::GatewayLost(gateway) => self.is_lost |= gateway == self.options.id,
            Notice::Ejected {
                volunteer,
                reason,
                record,
            } => self.on_ejected(volunteer, reason, record),
        }
    }

    fn log_failed(&self, volunteer: VolunteerId, task: TaskId) {
        let request = self.registry.request(volunteer);
        let address = request.map(|request| request.address);
        tracing::warn!(
            event = "verification_failed",
            volunteer = volunteer.0,
            task = task.0,
            address = address.map(tracing::field::display),
            "update failed verification"
        );
    }

    /// Records an ejection and notifies the session, which may have ended already.
    fn on_ejected(&mut self, volunteer: VolunteerId, reason: GoodbyeReason, record: TrustRecord) {
        let Some(request) = self.registry.request(volunteer) else {
            return; // another gateway has its session
        };
        tracing::info!(
            event = "ejected",
            volunteer = volunteer.0,
            address = %request.address,
            reason = reason.name(),
            "volunteer ejected"
        );
        self.ejections.record(volunteer, request, record, reason);
        self.issuer.leave(volunteer);
        self.registry.eject(volunteer, reason);
    }
}
