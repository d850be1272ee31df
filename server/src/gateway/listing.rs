//! The list of volunteers for the operator.

use std::collections::HashMap;

use farsign::identity::VolunteerIdentity;
use farsign::task::VolunteerId;

use super::registry::JoinRequest;
use super::{Ejection, Gateway};
use crate::effort::Effort;
use crate::net::client_addr::ClientAddr;
use crate::run::reports::VolunteerReport;

/// A connected volunteer.
#[derive(Clone, Debug, PartialEq)]
pub struct VolunteerSummary {
    /// Id of the session.
    pub volunteer: VolunteerId,
    /// Address.
    pub address: ClientAddr,
    /// Identity, if the volunteer sent one.
    pub identity: Option<VolunteerIdentity>,
    /// Name of the volunteer's program.
    pub agent: String,
    /// Accepted updates over all its sessions.
    pub accepted: u64,
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
    /// Trust, from passed verifications.
    pub trust: f32,
    /// Passed verifications.
    pub verifications_passed: u32,
    /// Effort in percent.
    pub effort_percent: u8,
}

/// Connected volunteers and recent ejections.
#[derive(Clone, Debug, PartialEq)]
pub struct VolunteerListing {
    /// All volunteers, the oldest session first.
    pub volunteers: Vec<VolunteerSummary>,
    /// Number of ejections since the server started.
    pub ejected: u64,
    /// The newest ejections, newest first.
    pub ejections: Vec<Ejection>,
    /// Effort of volunteers that join from now on, in percent.
    pub effort_percent: u8,
}

/// The sessions of a gateway.
#[derive(Debug)]
pub(super) struct Sessions {
    /// All volunteers, the oldest session first, with their effort.
    volunteers: Vec<(VolunteerId, JoinRequest, Effort)>,
    ejected: u64,
    ejections: Vec<Ejection>,
    default_effort: Effort,
}

impl Sessions {
    /// Adds what the learner reports about the volunteers.
    pub fn with_reports(self, reports: &HashMap<VolunteerId, VolunteerReport>) -> VolunteerListing {
        let summary = |(volunteer, request, effort): (VolunteerId, JoinRequest, Effort)| {
            let report = reports.get(&volunteer).copied().unwrap_or_default();
            summary(volunteer, request, effort, report)
        };
        VolunteerListing {
            volunteers: self.volunteers.into_iter().map(summary).collect(),
            ejected: self.ejected,
            ejections: self.ejections,
            effort_percent: self.default_effort.percent(),
        }
    }
}

fn summary(
    volunteer: VolunteerId,
    request: JoinRequest,
    effort: Effort,
    report: VolunteerReport,
) -> VolunteerSummary {
    let VolunteerReport {
        record,
        accepted_per_s,
        idle_s,
        weight_fraction,
        staleness,
        agreement,
    } = report;
    VolunteerSummary {
        volunteer,
        address: request.address,
        identity: request.identity,
        agent: request.agent,
        accepted: record.accepted,
        accepted_per_s,
        idle_s,
        weight_fraction,
        staleness,
        agreement,
        trust: record.trust.value(),
        verifications_passed: record.trust.passed,
        effort_percent: effort.percent(),
    }
}

impl Gateway {
    /// Lists the sessions and recent ejections.
    pub(super) fn sessions(&self) -> Sessions {
        let (ejected, ejections) = self.ejections.list();
        let connected = self.registry.connected();
        Sessions {
            volunteers: connected
                .map(|(volunteer, entry)| (volunteer, entry.request.clone(), entry.effort))
                .collect(),
            ejected,
            ejections,
            default_effort: self.registry.default_effort,
        }
    }

    /// Sets the effort of one volunteer, or of all volunteers now and later. Returns how many are connected.
    pub(super) fn set_effort(&mut self, volunteer: Option<VolunteerId>, effort: Effort) -> usize {
        let volunteers = self.registry.set_effort(volunteer, effort);
        tracing::info!(event = "effort_set", %effort, volunteers, "effort changed");
        volunteers
    }
}
