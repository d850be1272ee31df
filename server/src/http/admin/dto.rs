//! JSON rows of volunteers and ejections. docs/http-api.md documents the fields.

use std::time::SystemTime;

use serde::Serialize;

use crate::gateway::{Ejection, VolunteerSummary};

/// A connected volunteer.
#[derive(Clone, Debug, Serialize)]
pub(super) struct VolunteerRow {
    pub id: u64,
    pub address: String,
    pub identity: Option<String>,
    pub agent: String,
    pub accepted: u64,
    pub accepted_per_s: f64,
    pub idle_s: f64,
    pub weight_fraction: f64,
    pub staleness: Option<f64>,
    pub agreement: Option<f64>,
    pub trust: f32,
    pub verifications_passed: u32,
    pub effort_percent: u8,
}

impl From<VolunteerSummary> for VolunteerRow {
    fn from(summary: VolunteerSummary) -> Self {
        Self {
            id: summary.volunteer.0,
            address: summary.address.to_string(),
            identity: summary.identity.map(|identity| identity.to_string()),
            agent: summary.agent,
            accepted: summary.accepted,
            accepted_per_s: rounded(summary.accepted_per_s),
            idle_s: rounded(summary.idle_s),
            weight_fraction: rounded(summary.weight_fraction),
            staleness: summary.staleness.map(rounded),
            agreement: summary.agreement.map(rounded),
            trust: summary.trust,
            verifications_passed: summary.verifications_passed,
            effort_percent: summary.effort_percent,
        }
    }
}

/// Rounds to the digits that a reader needs, because a page of rows is sent every second.
fn rounded(value: f64) -> f64 {
    (value * 1e5).round() / 1e5
}

/// An ejected volunteer.
#[derive(Clone, Debug, Serialize)]
pub(super) struct EjectionRow {
    id: u64,
    address: String,
    identity: Option<String>,
    reason: &'static str,
    accepted: u64,
    verifications_passed: u32,
    /// Seconds since the Unix epoch.
    at_s: f64,
}

impl From<Ejection> for EjectionRow {
    fn from(ejection: Ejection) -> Self {
        let at = ejection
            .at
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            id: ejection.volunteer.0,
            address: ejection.address.to_string(),
            identity: ejection.identity.map(|identity| identity.to_string()),
            reason: ejection.reason.name(),
            accepted: ejection.accepted,
            verifications_passed: ejection.verifications_passed,
            at_s: rounded(at.as_secs_f64()),
        }
    }
}
