//! Metrics of a run.

use farsign::kernels::sparse::Kernel;
use serde::{Deserialize, Serialize};

use crate::data::ExperimentData;

/// Accuracy that defines the speed of a run.
pub const TARGET_ACCURACY: f64 = 0.8;

/// The data set on which a run's accuracy is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvalSplit {
    /// Held-out data, for results.
    Test,
    /// Validation data, for tuning.
    Validation,
}

/// One point of an accuracy curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Updates received.
    pub updates: u64,
    /// Simulated time in seconds.
    pub time_s: f64,
    /// Fraction of images classified correctly, 0 to 1.
    pub accuracy: f64,
    /// Mean cross-entropy in nats; `None` if it is not finite.
    pub loss: Option<f64>,
}

/// Counts of a server's verification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationStats {
    /// Segments in which all updates were correct.
    pub passed: u64,
    /// Segments with an incorrect update.
    pub failed: u64,
    /// Recomputed updates.
    pub recomputed: u64,
}

/// Metrics of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// Accuracy at the end, 0 to 1.
    pub accuracy: f64,
    /// Updates received.
    pub updates: u64,
    /// Simulated time in seconds.
    pub time_s: f64,
    /// Fraction of the updates that attackers sent.
    pub byzantine_updates: f64,
    /// Fraction of the weight of attackers' updates, if updates have weights.
    pub byzantine_weight: Option<f64>,
    /// Accepted weight, if updates have weights.
    pub weight: Option<f64>,
    /// Mean number of the server's updates between issuing a task's parameters and receiving its update.
    pub staleness: f64,
    /// Simulated seconds to the first point of the curve with an accuracy of 80 %.
    pub target_s: Option<f64>,
    /// Updates that arrived a second time.
    pub duplicates: u64,
    /// Ejected attackers, counted by identity.
    pub attackers_ejected: u64,
    /// Ejected honest workers.
    pub honest_ejected: u64,
    /// Counts of the server's verification.
    pub verification: VerificationStats,
    /// Mean bits a parameter of the differences between two versions that a worker received, if measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference_bits: Option<f64>,
    /// Mean images of an update, if tasks are sized to their workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_images: Option<f64>,
    /// Whether the parameters became infinite or NaN.
    pub diverged: bool,
    /// Accuracy curve.
    pub curve: Vec<CurvePoint>,
}

/// Records the metrics of a run while it proceeds.
pub struct MetricsRecorder<'a> {
    data: &'a ExperimentData,
    split: EvalSplit,
    kernel: Kernel,
    interval: u64,
    due: u64,
    from_attackers: u64,
    staleness: u64,
    metrics: RunMetrics,
}

impl<'a> MetricsRecorder<'a> {
    /// Creates a recorder with a point of the curve every `interval` updates.
    pub fn new(data: &'a ExperimentData, split: EvalSplit, interval: u64) -> Self {
        Self {
            data,
            split,
            kernel: Kernel::new(&data.architecture),
            interval,
            due: interval,
            from_attackers: 0,
            staleness: 0,
            metrics: RunMetrics::default(),
        }
    }

    /// Returns the number of updates received so far.
    pub fn received(&self) -> u64 {
        self.metrics.updates
    }

    /// Records an update, its sender's kind, and its staleness.
    pub fn on_update(&mut self, from_attacker: bool, staleness: u64) {
        self.metrics.updates += 1;
        self.from_attackers += u64::from(from_attacker);
        self.staleness += staleness;
    }

    /// Records an update that arrived a second time.
    pub fn on_duplicate(&mut self) {
        self.metrics.duplicates += 1;
    }

    /// Records the ejection of a worker.
    pub fn on_ejected(&mut self, attacker: bool) {
        if attacker {
            self.metrics.attackers_ejected += 1;
        } else {
            self.metrics.honest_ejected += 1;
        }
    }

    /// Records that the parameters are not finite.
    pub fn on_diverged(&mut self) {
        self.metrics.diverged = true;
    }

    /// Returns whether a point of the curve is due.
    pub fn is_due(&self) -> bool {
        self.received() >= self.due
    }

    /// Adds a point to the curve if one is due.
    pub fn point_if_due(&mut self, now_us: u64, x: &[f32]) {
        if self.is_due() {
            self.due = (self.received() / self.interval + 1) * self.interval;
            self.point(self.received(), now_us, x);
        }
    }

    /// Adds a point to the curve.
    pub fn point(&mut self, updates: u64, now_us: u64, x: &[f32]) {
        if self.split == EvalSplit::Validation {
            return; // tuning compares only the ends of runs
        }
        let found = self.kernel.evaluate(x, &self.data.curve);
        let accuracy = f64::from(found.accuracy);
        let time_s = now_us as f64 / 1e6;
        let loss = found.loss.is_finite().then(|| f64::from(found.loss));
        if accuracy >= TARGET_ACCURACY && self.metrics.target_s.is_none() {
            self.metrics.target_s = Some(time_s);
        }
        self.metrics.curve.push(CurvePoint {
            updates,
            time_s,
            accuracy,
            loss,
        });
    }

    /// Records the end of the run.
    pub fn end(&mut self, now_us: u64, x: &[f32]) {
        if self
            .metrics
            .curve
            .last()
            .is_none_or(|last| last.updates != self.received())
        {
            self.point(self.received(), now_us, x);
        }
        let data = match self.split {
            EvalSplit::Test => &self.data.test,
            EvalSplit::Validation => &self.data.validation,
        };
        let updates = self.metrics.updates.max(1) as f64;
        self.metrics.accuracy = f64::from(self.kernel.evaluate(x, data).accuracy);
        self.metrics.time_s = now_us as f64 / 1e6;
        self.metrics.byzantine_updates = self.from_attackers as f64 / updates;
        self.metrics.staleness = self.staleness as f64 / updates;
    }

    /// Records the server's verification and its weights: of attackers' updates, and of all updates.
    pub fn on_server_stats(
        &mut self,
        verification: VerificationStats,
        weights: Option<(f64, f64)>,
    ) {
        self.metrics.verification = verification;
        self.metrics.weight = weights.map(|(_, all)| all);
        let fraction = |(byzantine, all): (f64, f64)| if all > 0.0 { byzantine / all } else { 0.0 };
        self.metrics.byzantine_weight = weights.map(fraction);
    }

    /// Records the mean bits a parameter of the differences between versions.
    pub fn on_difference_bits(&mut self, bits: Option<f64>) {
        self.metrics.difference_bits = bits;
    }

    /// Records the mean images of an update of sized tasks.
    pub fn on_task_images(&mut self, images: Option<f64>) {
        self.metrics.task_images = images;
    }

    /// Returns the metrics.
    pub fn into_metrics(self) -> RunMetrics {
        self.metrics
    }
}
