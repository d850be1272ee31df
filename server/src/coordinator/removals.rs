//! Who was sent away lately, and why: for the host to see.

use std::collections::VecDeque;
use std::time::SystemTime;

use farsign::task::{GoodbyeReason, VolunteerId};

use super::member::Member;
use crate::admission::identity::Identity;
use crate::places::Network;

/// How many are remembered.
const MOST: usize = 500;

/// A volunteer that was sent away.
#[derive(Clone, Debug, PartialEq)]
pub struct Removal {
    /// The session's id.
    pub volunteer: VolunteerId,
    /// Where it was.
    pub network: Network,
    /// Who it was, if it said so.
    pub identity: Option<Identity>,
    /// Why it had to go.
    pub reason: GoodbyeReason,
    /// Answers of it that had been accepted, in all its sessions.
    pub accepted: u64,
    /// Checks it had passed.
    pub checks_passed: u32,
    /// When it went.
    pub at: SystemTime,
}

/// The newest of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Removals {
    newest_first: VecDeque<Removal>,
    /// Of the whole run of the server.
    count: u64,
}

impl Removals {
    /// Notes one.
    pub fn note(&mut self, volunteer: VolunteerId, member: &Member, reason: GoodbyeReason) {
        let credit = member.credit();
        self.newest_first.push_front(Removal {
            volunteer,
            network: member.who.network,
            identity: member.who.identity,
            reason,
            accepted: credit.accepted,
            checks_passed: credit.trust.passed,
            at: SystemTime::now(),
        });
        self.newest_first.truncate(MOST);
        self.count += 1;
    }

    /// How many there have been, and the newest.
    pub fn list(&self) -> (u64, Vec<Removal>) {
        (self.count, self.newest_first.iter().cloned().collect())
    }
}
