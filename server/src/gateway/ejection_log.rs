//! The newest ejections, for the operator.

use std::collections::VecDeque;
use std::time::SystemTime;

use farsign::identity::VolunteerIdentity;
use farsign::learner::TrustRecord;
use farsign::task::{GoodbyeReason, VolunteerId};

use super::registry::JoinRequest;
use crate::net::client_addr::ClientAddr;

/// Ejections that are remembered.
const MAX_EJECTIONS: usize = 500;

/// An ejected volunteer.
#[derive(Clone, Debug, PartialEq)]
pub struct Ejection {
    /// Id of the session.
    pub volunteer: VolunteerId,
    /// Address.
    pub address: ClientAddr,
    /// Identity, if the volunteer sent one.
    pub identity: Option<VolunteerIdentity>,
    /// Reason.
    pub reason: GoodbyeReason,
    /// Accepted updates over all its sessions.
    pub accepted: u64,
    /// Passed verifications.
    pub verifications_passed: u32,
    /// Time of the ejection.
    pub at: SystemTime,
}

/// The newest ejections.
#[derive(Clone, Debug, Default)]
pub(super) struct EjectionLog {
    newest_first: VecDeque<Ejection>,
    /// All ejections since the server started.
    count: u64,
}

impl EjectionLog {
    /// Records an ejection.
    pub fn record(
        &mut self,
        volunteer: VolunteerId,
        request: &JoinRequest,
        record: TrustRecord,
        reason: GoodbyeReason,
    ) {
        self.newest_first.push_front(Ejection {
            volunteer,
            address: request.address,
            identity: request.identity,
            reason,
            accepted: record.accepted,
            verifications_passed: record.trust.passed,
            at: SystemTime::now(),
        });
        self.newest_first.truncate(MAX_EJECTIONS);
        self.count += 1;
    }

    /// Returns the number of all ejections and the newest, newest first.
    pub fn list(&self) -> (u64, Vec<Ejection>) {
        (self.count, self.newest_first.iter().cloned().collect())
    }
}
