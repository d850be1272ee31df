//! Inverse-frequency weights: a volunteer that sends ten times more gets a tenth of the weight per update.
//!
//! ```text
//!   w_i = min(cap, trust * gap_i / N)
//!   trust = factor of the sender (see `trust`), 1 without verification
//!   gap_i = accepted updates since volunteer i's last one (or since it joined), its own included
//!   N     = active volunteers: the last accepted update is at most 2 * cap * max(N, 16) updates old
//! ```
//!
//! With equal rates every gap is `N` and every weight 1. Only accepted updates count towards `N`, so idle connections
//! do not reduce the weights of active volunteers. A volunteer that rejoins gains nothing, because its gap starts at
//! the join.
//!
//! # Examples
//!
//! ```
//! use farsign::task::VolunteerId;
//! use farsign::weighting::Activity;
//!
//! let (slow, fast) = (VolunteerId(1), VolunteerId(2));
//! let mut activity = Activity::default();
//! activity.join(slow, 0);
//! for update in 1..=3 {
//!     activity.record(fast, update, 1.0);
//! }
//! // With the next update two volunteers are active. The gap of the slow one is 4.
//! assert_eq!(activity.record(slow, 4, 1.0), 4.0 / 2.0);
//! assert_eq!(activity.record(fast, 5, 1.0), 2.0 / 2.0);
//! ```

use std::collections::{BTreeMap, HashMap};

pub use crate::schedule::WEIGHT_CAP;
use crate::task::VolunteerId;

/// Number of active volunteers below which the activity window stops shrinking.
const MIN_WINDOW_VOLUNTEERS: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Sender {
    /// Number of the last accepted update, or of accepted updates at the join.
    last: u64,
    /// Whether `last` is an update of the sender.
    sent: bool,
}

/// The saved state of one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderState {
    /// The volunteer.
    pub volunteer: VolunteerId,
    /// Number of its last accepted update; for an inactive volunteer, of that or of the last update before it joined.
    pub last: u64,
    /// Whether it is active: `last` is an update of its own and within the activity window.
    pub sent: bool,
}

/// An error in a saved state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ActivityError {
    /// An update beyond the accepted ones, or update 0.
    #[error("expected a last update of at most {accepted} for volunteer {}, found {found}", volunteer.0)]
    UnknownUpdate {
        volunteer: VolunteerId,
        accepted: u64,
        found: u64,
    },
    /// A volunteer that occurs twice.
    #[error("expected each volunteer once, found {} twice", volunteer.0)]
    Duplicate { volunteer: VolunteerId },
    /// An update attributed to two volunteers.
    #[error("expected update {update} from one volunteer, found {} and {}", volunteers[0].0, volunteers[1].0)]
    Shared {
        update: u64,
        volunteers: [VolunteerId; 2],
    },
}

/// The activity of all senders, counted in accepted updates.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    senders: HashMap<VolunteerId, Sender>,
    /// Active volunteers by their last accepted update.
    active: BTreeMap<u64, VolunteerId>,
}

impl Activity {
    /// Adds a volunteer after `accepted` updates of the run.
    pub fn join(&mut self, volunteer: VolunteerId, accepted: u64) {
        self.leave(volunteer);
        self.senders.insert(
            volunteer,
            Sender {
                last: accepted,
                sent: false,
            },
        );
    }

    /// Removes a volunteer.
    pub fn leave(&mut self, volunteer: VolunteerId) {
        if let Some(sender) = self.senders.remove(&volunteer)
            && sender.sent
        {
            self.active.remove(&sender.last);
        }
    }

    /// Records an accepted update and returns its weight, in `(0, WEIGHT_CAP]` for a `trust` above 0.
    ///
    /// `update` is the number of the update, from 1, each number once. An unknown volunteer joins with this update.
    pub fn record(&mut self, volunteer: VolunteerId, update: u64, trust: f32) -> f32 {
        let unknown = Sender {
            last: update - 1,
            sent: false,
        };
        let sender = self
            .senders
            .insert(
                volunteer,
                Sender {
                    last: update,
                    sent: true,
                },
            )
            .unwrap_or(unknown);
        if sender.sent {
            self.active.remove(&sender.last);
        }
        self.active.insert(update, volunteer);
        self.expire(update);
        let weight = trust * ((update - sender.last) as f32 / self.active.len() as f32);
        if weight < WEIGHT_CAP {
            weight
        } else {
            WEIGHT_CAP
        }
    }

    /// Returns the state that determines all later weights, in order of volunteers.
    pub fn state(&self) -> Vec<SenderState> {
        let state = |(&volunteer, &Sender { last, sent }): (&_, &_)| SenderState {
            volunteer,
            last,
            sent,
        };
        let mut senders: Vec<SenderState> = self.senders.iter().map(state).collect();
        senders.sort_unstable_by_key(|sender| sender.volunteer);
        senders
    }

    /// Restores the activity from its state after `accepted` updates of the run.
    ///
    /// # Errors
    ///
    /// Returns an error if the state is inconsistent.
    pub fn restore(state: &[SenderState], accepted: u64) -> Result<Self, ActivityError> {
        let mut activity = Self::default();
        for &SenderState {
            volunteer,
            last,
            sent,
        } in state
        {
            if last > accepted || (sent && last == 0) {
                return Err(ActivityError::UnknownUpdate {
                    volunteer,
                    accepted,
                    found: last,
                });
            }
            if activity
                .senders
                .insert(volunteer, Sender { last, sent })
                .is_some()
            {
                return Err(ActivityError::Duplicate { volunteer });
            }
            if sent && let Some(other) = activity.active.insert(last, volunteer) {
                return Err(ActivityError::Shared {
                    update: last,
                    volunteers: [other, volunteer],
                });
            }
        }
        Ok(activity)
    }

    /// Returns the number of active volunteers, `N`.
    pub fn active(&self) -> usize {
        self.active.len()
    }

    fn expire(&mut self, update: u64) {
        while let Some(oldest) = self.active.first_entry() {
            let window = 2.0 * WEIGHT_CAP as f64;
            let age = (update - oldest.key()) as f64;
            let volunteer = *oldest.get();
            if age <= window * self.active.len().max(MIN_WINDOW_VOLUNTEERS) as f64 {
                return;
            }
            self.active.pop_first();
            if let Some(sender) = self.senders.get_mut(&volunteer) {
                sender.sent = false; // still a sender, and its gap continues to grow
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Total weight of each sender when update `n` comes from `senders(n)`, after a warm-up.
    fn weights(updates: u64, senders: impl Fn(u64) -> u64) -> HashMap<u64, f64> {
        let mut activity = Activity::default();
        let mut total = HashMap::new();
        for n in 1..=updates {
            let weight = f64::from(activity.record(VolunteerId(senders(n)), n, 1.0));
            if n > updates / 4 {
                *total.entry(senders(n)).or_default() += weight;
            }
        }
        total
    }

    #[test]
    fn equal_senders_have_weight_one() {
        let total = weights(4000, |n| n % 8);
        assert!(
            total.values().all(|w| (w - 375.0).abs() < 1e-3),
            "{total:?}"
        );
    }

    #[test]
    fn flooding_gains_no_weight() {
        // Volunteer 0 sends ten updates for each one of the nine others.
        let total = weights(19 * 400, |n| if n % 19 < 10 { 0 } else { n % 19 });
        let others: f64 = (10..19).map(|i| total[&i]).sum::<f64>() / 9.0;
        assert!((total[&0] / others - 1.0).abs() < 0.01, "{total:?}");
    }

    #[test]
    fn rejoining_gains_no_weight() {
        let mut activity = Activity::default();
        let mut churner = 0.0;
        let mut honest = 0.0;
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
        assert!(
            churner < 0.2 * honest / 9.0,
            "churner {churner}, honest {honest} (nine of them)"
        );
    }

    #[test]
    fn inactive_volunteers_do_not_reduce_weights() {
        let mut activity = Activity::default();
        (1000..2000).for_each(|i| activity.join(VolunteerId(i), 0));
        (1..=500).for_each(|n| _ = activity.record(VolunteerId(n), n, 1.0)); // 500 send once and vanish
        let mut last = 0.0;
        (501..20_000).for_each(|n| last = activity.record(VolunteerId(n % 4), n, 1.0));
        assert_eq!((activity.active(), last), (4, 1.0));
    }

    #[test]
    fn straggler_weight_is_capped() {
        let mut activity = Activity::default();
        activity.join(VolunteerId(9), 0);
        (1..5000).for_each(|n| _ = activity.record(VolunteerId(n % 4), n, 1.0));
        assert_eq!(activity.record(VolunteerId(9), 5000, 1.0), WEIGHT_CAP);
    }

    #[test]
    fn trust_scales_weight_before_cap() {
        let mut activity = Activity::default();
        (1..=4).for_each(|n| _ = activity.record(VolunteerId(n), n, 1.0));
        let mut trusted = activity.clone();
        assert_eq!(
            activity.record(VolunteerId(1), 5, 0.25),
            0.25 * trusted.record(VolunteerId(1), 5, 1.0)
        );
        (6..100).for_each(|n| _ = activity.record(VolunteerId(1), n, 1.0));
        // A gap of 97 among four is a weight of 24.25; a tenth of that is under the cap, a half is not.
        let gap = |trust| activity.clone().record(VolunteerId(3), 100, trust);
        assert_eq!((gap(0.1), gap(0.5)), (0.1 * 24.25, WEIGHT_CAP));
    }
}
