//! What the host is told of a volunteer, as JSON.

use std::time::SystemTime;

use serde::Serialize;

use crate::coordinator::{Listed, Removal};

/// A volunteer that is there. docs/hosting.md lists the fields.
#[derive(Clone, Debug, Serialize)]
pub(super) struct VolunteerRow {
    pub id: u64,
    pub address: String,
    pub identity: Option<String>,
    pub agent: String,
    pub accepted: u64,
    pub accepted_per_s: f64,
    pub silent_s: f64,
    pub weight_share: f64,
    pub staleness: Option<f64>,
    pub agreement: Option<f64>,
    pub trust: f32,
    pub checks_passed: u32,
    pub effort_percent: u8,
}

impl From<Listed> for VolunteerRow {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.volunteer.0,
            address: listed.network.to_string(),
            identity: listed.identity.map(|identity| identity.to_string()),
            agent: listed.agent,
            accepted: listed.accepted,
            accepted_per_s: rounded(listed.accepted_per_s),
            silent_s: rounded(listed.silent_s),
            weight_share: rounded(listed.weight_share),
            staleness: listed.staleness.map(rounded),
            agreement: listed.agreement.map(rounded),
            trust: listed.trust,
            checks_passed: listed.checks_passed,
            effort_percent: listed.effort_percent,
        }
    }
}

/// To as many digits as anybody reads: the numbers of a page go out every second.
fn rounded(value: f64) -> f64 {
    (value * 1e5).round() / 1e5
}

/// One that was sent away.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RemovalRow {
    id: u64,
    address: String,
    identity: Option<String>,
    reason: &'static str,
    accepted: u64,
    checks_passed: u32,
    /// Seconds since 1970.
    at_s: f64,
}

impl From<Removal> for RemovalRow {
    fn from(removal: Removal) -> Self {
        let at = removal.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            id: removal.volunteer.0,
            address: removal.network.to_string(),
            identity: removal.identity.map(|identity| identity.to_string()),
            reason: removal.reason.name(),
            accepted: removal.accepted,
            checks_passed: removal.checks_passed,
            at_s: rounded(at.as_secs_f64()),
        }
    }
}
