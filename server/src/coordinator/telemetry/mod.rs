//! Statistics of volunteers and their updates, for display only. Training never depends on them.

mod ejection_log;
mod listing;
mod stats;

pub use ejection_log::Ejection;
pub(super) use ejection_log::EjectionLog;
pub use listing::{VolunteerListing, VolunteerSummary};
pub(super) use stats::VolunteerStats;

use std::time::Instant;

use farsign::direction::DirectionSpec;
use farsign::estimate::Order;
use farsign::learner::AcceptedUpdate;
use farsign::optimizer::Rule;
use farsign::sign::SignBits;
use farsign::task::VolunteerId;
use farsign::tolerance::{AgreementEstimator, Tolerance};
use stats::{DecayingSum, UpdateStats};

/// Statistics of a run.
#[derive(Debug)]
pub(super) struct Telemetry {
    agreement: AgreementEstimator,
    /// Recent weight of all updates.
    weight: DecayingSum,
    pub ejections: EjectionLog,
}

impl Telemetry {
    pub fn new(directions: DirectionSpec, order: Order, rule: Rule, now: Instant) -> Self {
        Self {
            agreement: AgreementEstimator::new(directions, order, rule),
            weight: DecayingSum::new(now),
            ejections: EjectionLog::default(),
        }
    }

    /// Records an accepted update of a volunteer, to a task whose version has `base` accepted updates.
    pub fn on_update(
        &mut self,
        volunteer: VolunteerId,
        stats: &mut VolunteerStats,
        AcceptedUpdate { update, weight, .. }: AcceptedUpdate,
        base: u64,
        signs: &SignBits,
    ) {
        let now = Instant::now();
        let agreement = self.agreement.observe(volunteer, update, base, signs);
        self.weight.add(now, f64::from(weight));
        stats.on_update(
            now,
            UpdateStats {
                update,
                base,
                weight,
                agreement,
            },
        );
    }

    /// Returns the recent weight of all updates.
    pub fn weight(&self, now: Instant) -> f64 {
        self.weight.sum(now)
    }

    /// Returns the estimated Byzantine tolerance. `None` if updates are not comparable.
    pub fn tolerance(&self) -> Option<Tolerance> {
        self.agreement.tolerance()
    }
}
