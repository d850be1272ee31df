//! Who is there: for the host, who can see volunteers, and let them rest.

use std::collections::HashMap;
use std::time::Instant;

use farsign::task::VolunteerId;

use super::Coordinator;
use crate::admission::identity::Identity;
use crate::effort::Effort;
use crate::places::Network;

/// A volunteer as the host sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The session's id.
    pub volunteer: VolunteerId,
    /// Where it is.
    pub network: Network,
    /// Who it is, if it said so.
    pub identity: Option<Identity>,
    /// What it says its program is.
    pub agent: String,
    /// Answers accepted in all its sessions.
    pub accepted: u64,
    /// Answers accepted per second of this session.
    pub accepted_per_s: f64,
    /// What its answers count, as far as checks decide that.
    pub trust: f32,
    /// Checks it has passed.
    pub checks_passed: u32,
    /// How much of its time it is given work for, in percent.
    pub effort_percent: u8,
}

impl Coordinator {
    /// All volunteers, the longest here first.
    pub(super) fn list(&self, now: Instant) -> Vec<Listed> {
        let listed = self.members.iter().map(|(volunteer, member)| {
            let seconds = now.saturating_duration_since(member.joined).as_secs_f64();
            let credit = member.credit();
            Listed {
                volunteer: *volunteer,
                network: member.who.network,
                identity: member.who.identity,
                agent: member.who.agent.clone(),
                accepted: credit.accepted,
                accepted_per_s: if seconds > 0.0 { member.accepted as f64 / seconds } else { 0.0 },
                trust: credit.trust.value(),
                checks_passed: credit.trust.passed,
                effort_percent: member.effort.percent(),
            }
        });
        let mut listed: Vec<_> = listed.collect();
        listed.sort_unstable_by_key(|one| one.volunteer);
        listed
    }

    /// Answers accepted of each of these, in all their sessions.
    pub(super) fn accepted_of(&self, identities: &[Identity]) -> HashMap<Identity, u64> {
        let accepted = |identity: Identity| {
            let member = self.present.get(&identity).and_then(|volunteer| self.members.get(volunteer));
            member.map_or_else(|| self.credits.accepted_of(identity), |member| member.credit().accepted)
        };
        identities.iter().map(|&identity| (identity, accepted(identity))).collect()
    }

    /// Sets the effort of one volunteer, or of all and of who joins from now on; how many are there.
    pub(super) fn set_effort(&mut self, whom: Option<VolunteerId>, effort: Effort) -> usize {
        if whom.is_none() {
            self.effort = effort;
        }
        let meant = self.members.iter_mut().filter(|(one, _)| whom.is_none_or(|whom| whom == **one));
        let volunteers = meant.map(|(_, member)| member.effort = effort).count();
        tracing::info!(event = "effort_set", %effort, volunteers, "the host has set an effort");
        volunteers
    }
}
