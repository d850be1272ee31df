//! Who is there: for the host, who can see volunteers, and let them rest.

use std::collections::HashMap;
use std::time::Instant;

use farsign::task::VolunteerId;

use super::Coordinator;
use super::removals::Removal;
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
    /// Answers accepted per second, of late.
    pub accepted_per_s: f64,
    /// Seconds since the last of them, or since it joined.
    pub silent_s: f64,
    /// Share of the weight of late that was its answers', 0 to 1.
    pub weight_share: f64,
    /// Answers of others that are accepted between the model of its task and its answer, in the mean.
    pub staleness: Option<f64>,
    /// Share of its signs that are those of others at the same time, 0 to 1, where answers can be compared.
    pub agreement: Option<f64>,
    /// What its answers count, as far as checks decide that.
    pub trust: f32,
    /// Checks it has passed.
    pub checks_passed: u32,
    /// How much of its time it is given work for, in percent.
    pub effort_percent: u8,
}

/// Who is there, and who was sent away.
#[derive(Clone, Debug, PartialEq)]
pub struct Roster {
    /// All volunteers, the longest here first.
    pub volunteers: Vec<Listed>,
    /// How many the server has sent away since it started.
    pub removed: u64,
    /// The newest of these, the newest first.
    pub removals: Vec<Removal>,
    /// Effort of who joins from now on, in percent.
    pub effort_percent: u8,
}

impl Coordinator {
    /// What the host sees of the volunteers.
    pub(super) fn roster(&self, now: Instant) -> Roster {
        let (removed, removals) = self.removals.list();
        let effort_percent = self.effort.percent();
        Roster { volunteers: self.list(now), removed, removals, effort_percent }
    }

    fn list(&self, now: Instant) -> Vec<Listed> {
        let all = self.weight.sum(now);
        let listed = self.members.iter().map(|(volunteer, member)| {
            let (conduct, credit) = (&member.conduct, member.credit());
            Listed {
                volunteer: *volunteer,
                network: member.who.network,
                identity: member.who.identity,
                agent: member.who.agent.clone(),
                accepted: credit.accepted,
                accepted_per_s: conduct.accepted_per_s(now),
                silent_s: conduct.silent_s(now),
                weight_share: if all > 0.0 { conduct.weight(now) / all } else { 0.0 },
                staleness: conduct.staleness(),
                agreement: conduct.agreement(),
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
