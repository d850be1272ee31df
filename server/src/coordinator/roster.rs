//! Who is there: for the host, who can see and remove volunteers.

use std::collections::HashMap;
use std::time::Instant;

use farsign::task::{GoodbyeReason, VolunteerId};

use super::Coordinator;
use crate::admission::identity::Identity;
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
}

/// Some of the volunteers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The one with this id.
    Volunteer(VolunteerId),
    /// The one who is this, if it is there.
    Identity(Identity),
    /// All from there.
    Network(Network),
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

    /// Ends sessions; how many.
    pub(super) fn remove(&mut self, whom: Whom, reason: GoodbyeReason) -> usize {
        let meant: Vec<VolunteerId> = match whom {
            Whom::Volunteer(volunteer) => vec![volunteer],
            Whom::Identity(identity) => self.present.get(&identity).copied().into_iter().collect(),
            Whom::Network(network) => {
                let there = self.members.iter().filter(|(_, member)| member.who.network == network);
                there.map(|(volunteer, _)| *volunteer).collect()
            }
        };
        let ended = meant.into_iter().filter_map(|volunteer| self.forget(volunteer));
        ended.map(|member| _ = member.removal.send(reason)).count() // a session may be ending by itself
    }
}
