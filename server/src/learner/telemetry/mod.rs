//! Statistics of volunteers and their updates, for display only. Training never depends on them.

mod stats;

use std::collections::HashMap;
use std::time::Instant;

use farsign::direction::DirectionSpec;
use farsign::estimate::Order;
use farsign::learner::{AcceptedUpdate, TrustRecord};
use farsign::optimizer::Rule;
use farsign::sign::SignBits;
use farsign::task::VolunteerId;
use farsign::tolerance::{AgreementEstimator, Tolerance};
use stats::{DecayingSum, UpdateStats, VolunteerStats};

use crate::run::reports::VolunteerReport;

/// Statistics of a run.
#[derive(Debug)]
pub(super) struct Telemetry {
    agreement: AgreementEstimator,
    /// Recent weight of all updates.
    weight: DecayingSum,
    volunteers: HashMap<VolunteerId, VolunteerStats>,
}

impl Telemetry {
    pub fn new(directions: DirectionSpec, order: Order, rule: Rule, now: Instant) -> Self {
        Self {
            agreement: AgreementEstimator::new(directions, order, rule),
            weight: DecayingSum::new(now),
            volunteers: HashMap::new(),
        }
    }

    /// Adds a volunteer.
    pub fn join(&mut self, volunteer: VolunteerId, now: Instant) {
        self.volunteers.insert(volunteer, VolunteerStats::new(now));
    }

    /// Removes a volunteer.
    pub fn leave(&mut self, volunteer: VolunteerId) {
        self.volunteers.remove(&volunteer);
    }

    /// Records an accepted update, to a task whose version has `base` accepted updates.
    pub fn on_update(&mut self, accepted: AcceptedUpdate, base: u64, signs: &SignBits) {
        let AcceptedUpdate {
            update,
            weight,
            task,
            ..
        } = accepted;
        let volunteer = task.id.volunteer();
        let now = Instant::now();
        let agreement = self.agreement.observe(volunteer, update, base, signs);
        self.weight.add(now, f64::from(weight));
        let Some(stats) = self.volunteers.get_mut(&volunteer) else {
            return;
        };
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

    /// Returns a report of each connected volunteer. `record` returns its trust and credit.
    pub fn reports(
        &self,
        now: Instant,
        record: impl Fn(VolunteerId) -> TrustRecord,
    ) -> HashMap<VolunteerId, VolunteerReport> {
        let total = self.weight.sum(now);
        let report = |(volunteer, stats): (&VolunteerId, &VolunteerStats)| {
            let report = VolunteerReport {
                record: record(*volunteer),
                accepted_per_s: stats.accepted_per_s(now),
                idle_s: stats.idle_s(now),
                weight_fraction: if total > 0.0 {
                    stats.weight(now) / total
                } else {
                    0.0
                },
                staleness: stats.staleness(),
                agreement: stats.agreement(),
            };
            (*volunteer, report)
        };
        self.volunteers.iter().map(report).collect()
    }

    /// Returns the estimated Byzantine tolerance. `None` if updates are not comparable.
    pub fn tolerance(&self) -> Option<Tolerance> {
        self.agreement.tolerance()
    }
}
