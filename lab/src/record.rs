//! What a run is measured by.

use farsign::kernels::sparse::Kernel;
use serde::{Deserialize, Serialize};

use crate::host::CheckTally;
use crate::materials::Materials;

/// Accuracy that a run's speed is told by.
pub const TARGET: f64 = 0.8;

/// What a run's accuracy is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Data that nobody trains on, for results.
    Test,
    /// Data that nobody trains on, for choosing learning rates.
    Validation,
}

/// One point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Messages received.
    pub messages: u64,
    /// Simulated time in seconds.
    pub time_s: f64,
    /// Share of images classified right, 0 to 1.
    pub accuracy: f64,
    /// Mean cross-entropy in nats; none when it is not finite.
    pub loss: Option<f64>,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Accuracy at the end, 0 to 1.
    pub accuracy: f64,
    /// Messages received.
    pub messages: u64,
    /// Simulated time in seconds.
    pub time_s: f64,
    /// Messages that came from liars, as a share.
    pub liars_share: f64,
    /// Weight of liars' messages, as a share, where messages have weights.
    pub liars_weight: Option<f64>,
    /// Accepted weight, where messages have weights.
    pub weight: Option<f64>,
    /// Mean of the updates between a task's parameters and its answer.
    pub staleness: f64,
    /// Simulated seconds to the first point of the curve with an accuracy of 80 %.
    pub target_s: Option<f64>,
    /// Messages that arrived a second time.
    pub refused: u64,
    /// Liars that were removed, by name.
    pub liars_removed: u64,
    /// Honest workers that were removed.
    pub honest_removed: u64,
    /// What checks did.
    pub checks: CheckTally,
    /// Whether the parameters ceased to be finite.
    pub diverged: bool,
    /// The curve.
    pub curve: Vec<Point>,
}

/// Measures a run as it goes.
pub struct Recorder<'a> {
    materials: &'a Materials,
    measure: Measure,
    kernel: Kernel,
    every: u64,
    due: u64,
    from_liars: u64,
    staleness: u64,
    record: Record,
}

impl<'a> Recorder<'a> {
    /// With a point of the curve every so many messages.
    pub fn new(materials: &'a Materials, measure: Measure, every: u64) -> Self {
        Self {
            materials,
            measure,
            kernel: Kernel::new(&materials.architecture),
            every,
            due: every,
            from_liars: 0,
            staleness: 0,
            record: Record::default(),
        }
    }

    /// Messages received so far.
    pub fn received(&self) -> u64 {
        self.record.messages
    }

    /// A message was received from a liar or not, so many updates after its parameters.
    pub fn received_from(&mut self, liar: bool, staleness: u64) {
        self.record.messages += 1;
        self.from_liars += u64::from(liar);
        self.staleness += staleness;
    }

    /// A message arrived that had arrived before.
    pub fn refused(&mut self) {
        self.record.refused += 1;
    }

    /// A worker was found lying.
    pub fn removed(&mut self, lies: bool) {
        *(if lies { &mut self.record.liars_removed } else { &mut self.record.honest_removed }) += 1;
    }

    /// The parameters are not finite any more.
    pub fn diverged(&mut self) {
        self.record.diverged = true;
    }

    /// Measures the curve if it is time.
    pub fn point_if_due(&mut self, now_us: u64, x: &[f32]) {
        if self.received() >= self.due {
            self.due = (self.received() / self.every + 1) * self.every;
            self.point(self.received(), now_us, x);
        }
    }

    /// Measures the curve.
    pub fn point(&mut self, messages: u64, now_us: u64, x: &[f32]) {
        if self.measure == Measure::Validation {
            return; // it is the end that counts
        }
        let found = self.kernel.evaluate(x, &self.materials.curve);
        let (accuracy, time_s) = (f64::from(found.accuracy), now_us as f64 / 1e6);
        let loss = found.loss.is_finite().then(|| f64::from(found.loss));
        if accuracy >= TARGET && self.record.target_s.is_none() {
            self.record.target_s = Some(time_s);
        }
        self.record.curve.push(Point { messages, time_s, accuracy, loss });
    }

    /// The run has ended.
    pub fn end(&mut self, now_us: u64, x: &[f32]) {
        if self.record.curve.last().is_none_or(|last| last.messages != self.received()) {
            self.point(self.received(), now_us, x);
        }
        let data = match self.measure {
            Measure::Test => &self.materials.test,
            Measure::Validation => &self.materials.validation,
        };
        let messages = self.record.messages.max(1) as f64;
        self.record.accuracy = f64::from(self.kernel.evaluate(x, data).accuracy);
        self.record.time_s = now_us as f64 / 1e6;
        self.record.liars_share = self.from_liars as f64 / messages;
        self.record.staleness = self.staleness as f64 / messages;
    }

    /// What the server did about liars.
    pub fn checked(&mut self, checks: CheckTally, weights: Option<(f64, f64)>) {
        self.record.checks = checks;
        self.record.weight = weights.map(|(_, all)| all);
        self.record.liars_weight = weights.map(|(liars, all)| if all > 0.0 { liars / all } else { 0.0 });
    }

    /// What the run came to.
    pub fn into_record(self) -> Record {
        self.record
    }
}
