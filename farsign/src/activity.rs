//! Equal-activity weights: a volunteer that sends ten times more gets a tenth of the weight.
//!
//! ```text
//!   w_i = min(cap, trust * gap_i / N)
//!   trust = what the host thinks of the sender, 1 where it does not judge
//!   gap_i = accepted messages since volunteer i's last one (or since it joined), its own included
//!   N     = active volunteers: those whose last accepted message is at most 2 * cap * max(N, 16) messages ago
//! ```
//!
//! With equal rates every gap is `N` and every weight 1. Only accepted messages count towards `N`, so idle
//! connections cannot thin out the weights of those who work; a volunteer that joins again does not start with a
//! full weight, because its gap starts at the join.

use std::collections::{BTreeMap, HashMap};

use crate::task::VolunteerId;

/// Largest weight of one message.
pub const WEIGHT_CAP: f32 = 5.0;

/// Below this many volunteers the window of activity does not shrink further.
const FEW: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Member {
    /// Value of the message count at the last accepted message, or at the join.
    last: u64,
    /// Whether `last` is a message.
    sent: bool,
}

/// What is known of one volunteer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberState {
    /// Who.
    pub volunteer: VolunteerId,
    /// Number of its last accepted message; where it is not active, of that or of the last message before it joined.
    pub last: u64,
    /// Whether it is active: `last` is a message of its own, and not too old.
    pub sent: bool,
}

/// Why a state is none that an activity can have been in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActivityError {
    /// A message that was not accepted yet.
    #[error("expected a last message of at most {accepted} for volunteer {}, found {found}", volunteer.0)]
    Message {
        /// Whose.
        volunteer: VolunteerId,
        /// Messages of the run.
        accepted: u64,
        /// The message.
        found: u64,
    },
    /// A volunteer is there twice.
    #[error("expected every volunteer once, found {} twice", volunteer.0)]
    Twice {
        /// Who.
        volunteer: VolunteerId,
    },
    /// A message is of two volunteers.
    #[error("expected message {message} to be of one volunteer, found {} and {}", volunteers[0].0, volunteers[1].0)]
    Shared {
        /// The message.
        message: u64,
        /// Who.
        volunteers: [VolunteerId; 2],
    },
}

/// Who sent when, counted in accepted messages.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    members: HashMap<VolunteerId, Member>,
    /// Active volunteers by their last accepted message.
    active: BTreeMap<u64, VolunteerId>,
}

impl Activity {
    /// Takes up a volunteer after `accepted` messages of the run.
    pub fn join(&mut self, volunteer: VolunteerId, accepted: u64) {
        self.leave(volunteer);
        self.members.insert(volunteer, Member { last: accepted, sent: false });
    }

    /// Forgets a volunteer.
    pub fn leave(&mut self, volunteer: VolunteerId) {
        if let Some(member) = self.members.remove(&volunteer)
            && member.sent
        {
            self.active.remove(&member.last);
        }
    }

    /// Records that message number `message` (from 1, each number once) is the volunteer's, and gives its weight in
    /// `(0, WEIGHT_CAP]` for a `trust` above 0. A volunteer that never joined joins with this message.
    pub fn record(&mut self, volunteer: VolunteerId, message: u64, trust: f32) -> f32 {
        let unknown = Member { last: message - 1, sent: false };
        let member = self.members.insert(volunteer, Member { last: message, sent: true }).unwrap_or(unknown);
        if member.sent {
            self.active.remove(&member.last);
        }
        self.active.insert(message, volunteer);
        self.expire(message);
        let weight = trust * ((message - member.last) as f32 / self.active.len() as f32);
        if weight < WEIGHT_CAP { weight } else { WEIGHT_CAP }
    }

    /// Everything that decides the weights to come, volunteers in order of their numbers.
    pub fn state(&self) -> Vec<MemberState> {
        let state = |(&volunteer, &Member { last, sent }): (&_, &_)| MemberState { volunteer, last, sent };
        let mut members: Vec<MemberState> = self.members.iter().map(state).collect();
        members.sort_unstable_by_key(|member| member.volunteer);
        members
    }

    /// The activity that was in this state after `accepted` messages of the run.
    ///
    /// # Errors
    /// When no activity can have been in it.
    pub fn restore(state: &[MemberState], accepted: u64) -> Result<Self, ActivityError> {
        let mut activity = Self::default();
        for &MemberState { volunteer, last, sent } in state {
            if last > accepted || (sent && last == 0) {
                return Err(ActivityError::Message { volunteer, accepted, found: last });
            }
            if activity.members.insert(volunteer, Member { last, sent }).is_some() {
                return Err(ActivityError::Twice { volunteer });
            }
            if sent && let Some(other) = activity.active.insert(last, volunteer) {
                return Err(ActivityError::Shared { message: last, volunteers: [other, volunteer] });
            }
        }
        Ok(activity)
    }

    /// Number of active volunteers, `N`.
    pub fn active(&self) -> usize {
        self.active.len()
    }

    fn expire(&mut self, message: u64) {
        while let Some(oldest) = self.active.first_entry() {
            let window = 2.0 * WEIGHT_CAP as f64;
            let age = (message - oldest.key()) as f64;
            let volunteer = *oldest.get();
            if age <= window * self.active.len().max(FEW) as f64 {
                return;
            }
            self.active.pop_first();
            if let Some(member) = self.members.get_mut(&volunteer) {
                member.sent = false; // still a member, and its gap goes on growing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Total weight of each sender when message `n` comes from `senders(n)`, after a warm-up.
    fn weights(messages: u64, senders: impl Fn(u64) -> u64) -> HashMap<u64, f64> {
        let (mut activity, mut total) = (Activity::default(), HashMap::new());
        for n in 1..=messages {
            let weight = f64::from(activity.record(VolunteerId(senders(n)), n, 1.0));
            if n > messages / 4 {
                *total.entry(senders(n)).or_default() += weight;
            }
        }
        total
    }

    #[test]
    fn equal_senders_weigh_one_each_message() {
        let total = weights(4000, |n| n % 8);
        assert!(total.values().all(|w| (w - 375.0).abs() < 1e-3), "{total:?}");
    }

    #[test]
    fn a_fast_sender_gains_nothing() {
        // Volunteer 0 sends ten messages for each one of the nine others.
        let total = weights(19 * 400, |n| if n % 19 < 10 { 0 } else { n % 19 });
        let others: f64 = (10..19).map(|i| total[&i]).sum::<f64>() / 9.0;
        assert!((total[&0] / others - 1.0).abs() < 0.01, "{total:?}");
    }

    #[test]
    fn joining_again_and_again_gains_nothing() {
        let mut activity = Activity::default();
        let (mut churner, mut honest) = (0.0, 0.0);
        for n in 1..=4000u64 {
            if n.is_multiple_of(10) {
                let fresh = VolunteerId(1000 + n);
                activity.join(fresh, n - 1);
                churner += activity.record(fresh, n, 1.0);
                activity.leave(fresh);
            } else {
                honest += activity.record(VolunteerId(n % 10), n, 1.0);
            }
        }
        assert!(churner < 0.2 * honest / 9.0, "churner {churner}, honest {honest} (nine of them)");
    }

    #[test]
    fn idle_members_and_the_vanished_do_not_thin_weights() {
        let mut activity = Activity::default();
        (1000..2000).for_each(|i| activity.join(VolunteerId(i), 0));
        (1..=500).for_each(|n| _ = activity.record(VolunteerId(n), n, 1.0)); // 500 send once and vanish
        let mut last = 0.0;
        (501..20_000).for_each(|n| last = activity.record(VolunteerId(n % 4), n, 1.0));
        assert_eq!((activity.active(), last), (4, 1.0));
    }

    #[test]
    fn a_straggler_is_capped() {
        let mut activity = Activity::default();
        activity.join(VolunteerId(9), 0);
        (1..5000).for_each(|n| _ = activity.record(VolunteerId(n % 4), n, 1.0));
        assert_eq!(activity.record(VolunteerId(9), 5000, 1.0), WEIGHT_CAP);
    }

    #[test]
    fn trust_scales_a_weight_before_the_cap() {
        let mut activity = Activity::default();
        (1..=4).for_each(|n| _ = activity.record(VolunteerId(n), n, 1.0));
        let mut trusted = activity.clone();
        assert_eq!(activity.record(VolunteerId(1), 5, 0.25), 0.25 * trusted.record(VolunteerId(1), 5, 1.0));
        (6..100).for_each(|n| _ = activity.record(VolunteerId(1), n, 1.0));
        // A gap of 97 among four is a weight of 24.25; a tenth of that is under the cap, a half is not.
        let gap = |trust| activity.clone().record(VolunteerId(3), 100, trust);
        assert_eq!((gap(0.1), gap(0.5)), (0.1 * 24.25, WEIGHT_CAP));
    }
}
