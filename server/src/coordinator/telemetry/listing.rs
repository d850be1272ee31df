//! The list of volunteers for the operator.

use std::collections::HashMap;
use std::time::Instant;

use farsign::identity::VolunteerIdentity;
use farsign::task::VolunteerId;

use super::Ejection;
use crate::coordinator::Coordinator;
use crate::coordinator::registry::VolunteerEntry;
use crate::effort::Effort;
use crate::net::client_addr::ClientAddr;

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

impl Coordinator {
    /// Lists connected volunteers and recent ejections.
    pub(in crate::coordinator) fn list(&self, now: Instant) -> VolunteerListing {
        let total = self.telemetry.weight(now);
        let mut volunteers: Vec<VolunteerSummary> = self
            .registry
            .connected()
            .map(|(volunteer, entry)| self.summary(volunteer, entry, total, now))
            .collect();
        volunteers.sort_unstable_by_key(|summary| summary.volunteer);
        let (ejected, ejections) = self.telemetry.ejections.list();
        let effort_percent = self.registry.default_effort.percent();
        VolunteerListing {
            volunteers,
            ejected,
            ejections,
            effort_percent,
        }
    }

    fn summary(
        &self,
        volunteer: VolunteerId,
        VolunteerEntry {
            request,
            stats,
            effort,
            ..
        }: &VolunteerEntry,
        total_weight: f64,
        now: Instant,
    ) -> VolunteerSummary {
        let record = self
            .training
            .learner()
            .record(volunteer)
            .unwrap_or_default();
        VolunteerSummary {
            volunteer,
            address: request.address,
            identity: request.identity,
            agent: request.agent.clone(),
            accepted: record.accepted,
            accepted_per_s: stats.accepted_per_s(now),
            idle_s: stats.idle_s(now),
            weight_fraction: if total_weight > 0.0 {
                stats.weight(now) / total_weight
            } else {
                0.0
            },
            staleness: stats.staleness(),
            agreement: stats.agreement(),
            trust: record.trust.value(),
            verifications_passed: record.trust.passed,
            effort_percent: effort.percent(),
        }
    }

    /// Returns the accepted updates of each identity over all its sessions.
    pub(in crate::coordinator) fn accepted_counts(
        &self,
        identities: &[VolunteerIdentity],
    ) -> HashMap<VolunteerIdentity, u64> {
        identities
            .iter()
            .map(|&identity| (identity, self.training.learner().accepted(identity)))
            .collect()
    }

    /// Sets the effort of one volunteer, or of all volunteers now and later. Returns how many are connected.
    pub(in crate::coordinator) fn set_effort(
        &mut self,
        volunteer: Option<VolunteerId>,
        effort: Effort,
    ) -> usize {
        let volunteers = self.registry.set_effort(volunteer, effort);
        tracing::info!(event = "effort_set", %effort, volunteers, "effort changed");
        volunteers
    }
}
