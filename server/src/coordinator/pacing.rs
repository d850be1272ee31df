//! The pace of the server: how many updates it takes a second, and how many images it can verify.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use farsign::dataset::ShardList;
use farsign::task::RunSettings;
use farsign::task_sizing::TaskLimits;

use crate::counters::VerificationCounters;

/// Factor by which earlier batches count less with each further one.
const DECAY: f64 = 0.99;

/// Updates in the decaying sum before the pace is known.
const MIN_UPDATES: f64 = 32.0;

/// Time between two measurements of verification.
const VERIFICATION_INTERVAL: Duration = Duration::from_secs(1);

/// CPU time of verification before its pace is known, in seconds.
const MIN_VERIFICATION_S: f64 = 0.01;

/// The measured pace of the server.
#[derive(Debug)]
pub(super) struct ServerPace {
    limits: TaskLimits,
    /// The shards of the training data.
    shards: Arc<ShardList>,
    /// Decaying sum of the updates of batches.
    updates: f64,
    /// Decaying sum of the CPU time of batches, in seconds.
    busy_s: f64,
    /// `None` if updates are not verified.
    verification: Option<VerificationPace>,
}

/// The measured pace of verification.
#[derive(Debug)]
struct VerificationPace {
    /// Fraction of one core that verification may use.
    cpu_fraction: f64,
    counters: Arc<VerificationCounters>,
    measured: Instant,
    /// Accepted updates at that time.
    accepted: u64,
    /// Accepted updates a second, averaged. `None` before the first measurement.
    updates_per_s: Option<f64>,
}

impl ServerPace {
    /// Creates the pace of a run with these settings and training data.
    pub fn new(run: &RunSettings, shards: Arc<ShardList>) -> Self {
        let limits = TaskLimits {
            minibatch: run.batch,
            training_images: 0,
            timeout_ms: run.task_timeout_ms,
            active: 0,
            updates_per_s: None,
            verifiable_images: None,
        };
        Self {
            limits,
            shards,
            updates: 0.0,
            busy_s: 0.0,
            verification: None,
        }
    }

    /// Measures verification too, which may use `cpu_fraction` of a core. The run has `accepted` updates.
    pub fn with_verification(
        mut self,
        cpu_fraction: f64,
        counters: Arc<VerificationCounters>,
        accepted: u64,
        now: Instant,
    ) -> Self {
        // Before the pace of verification is known, it can afford the minibatch that the operator chose.
        self.limits.verifiable_images = Some(self.limits.minibatch.into());
        self.verification = Some(VerificationPace {
            cpu_fraction,
            counters,
            measured: now,
            accepted,
            updates_per_s: None,
        });
        self
    }

    /// Records a batch of `updates` that took this CPU time.
    pub fn record_batch(&mut self, updates: usize, busy: Duration) {
        if updates > 0 {
            self.updates = DECAY * self.updates + updates as f64;
            self.busy_s = DECAY * self.busy_s + busy.as_secs_f64();
        }
    }

    /// Measures what verification can afford, if that is due. `recomputed_fraction` returns the expected fraction of
    /// updates that are recomputed.
    pub fn measure_verification(
        &mut self,
        now: Instant,
        accepted: u64,
        recomputed_fraction: impl FnOnce() -> f64,
    ) {
        let Some(verification) = &mut self.verification else {
            return;
        };
        if let Some(images) = verification.measure(now, accepted, recomputed_fraction) {
            self.limits.verifiable_images = Some(images);
        }
    }

    /// Returns the limits of a task's size with this many active volunteers, for one with this many shards.
    pub fn limits(&self, active: usize, shards: u16) -> TaskLimits {
        let is_known = self.updates >= MIN_UPDATES && self.busy_s > 0.0;
        TaskLimits {
            active,
            training_images: self.shards.images_of_first(shards.into()) as u32,
            updates_per_s: is_known.then(|| self.updates / self.busy_s),
            ..self.limits
        }
    }
}

impl VerificationPace {
    /// Returns the images of an average task that verification can afford. `None` if that is not due or unknown.
    fn measure(
        &mut self,
        now: Instant,
        accepted: u64,
        recomputed_fraction: impl FnOnce() -> f64,
    ) -> Option<f64> {
        let passed = now.saturating_duration_since(self.measured);
        if passed < VERIFICATION_INTERVAL {
            return None;
        }
        let rate = accepted.saturating_sub(self.accepted) as f64 / passed.as_secs_f64();
        (self.measured, self.accepted) = (now, accepted);
        let rate = self
            .updates_per_s
            .map_or(rate, |mean| f64::midpoint(mean, rate));
        self.updates_per_s = Some(rate);
        let cpu_s = self.counters.cpu_us.load(Ordering::Relaxed) as f64 / 1e6;
        if cpu_s < MIN_VERIFICATION_S {
            return None;
        }
        let images_per_s = self.counters.images.load(Ordering::Relaxed) as f64 / cpu_s;
        let images = self.cpu_fraction * images_per_s / (rate * recomputed_fraction());
        images.is_finite().then_some(images)
    }
}

#[cfg(test)]
mod tests {
    use farsign::dataset::ShardEntry;
    use farsign::direction::{DirectionFamily, DirectionSpec};
    use farsign::estimate::Order;
    use farsign::model::Architecture;

    use super::*;

    fn pace() -> ServerPace {
        let architecture = Architecture::new(vec![4, 2]).expect("a valid architecture");
        let d = architecture.parameters();
        let run = RunSettings {
            run_id: 1,
            architecture,
            order: Order::First,
            directions: DirectionSpec::new(DirectionFamily::Coordinate, d, d).expect("valid"),
            batch: 128,
            beta: 0.3,
            task_timeout_ms: 60_000,
            train_digest: [0; 32],
        };
        let entry = |images| ShardEntry {
            digest: [0; 32],
            images,
        };
        let shards = ShardList::new(2, 2, 2, vec![entry(1_000), entry(2_000), entry(5_000)]);
        ServerPace::new(&run, Arc::new(shards.expect("a valid list")))
    }

    #[test]
    fn busy_time_gives_update_rate() {
        let mut pace = pace();
        assert_eq!(pace.limits(7, 2).updates_per_s, None);
        for _ in 0..1000 {
            pace.record_batch(4, Duration::from_millis(2));
            pace.record_batch(0, Duration::from_secs(1)); // a batch without updates
        }
        let limits = pace.limits(7, 2);
        assert!((limits.updates_per_s.expect("known") - 2000.0).abs() < 1.0);
        assert_eq!((limits.active, limits.training_images), (7, 3_000));
    }

    #[test]
    fn affordable_images_follow_budget() {
        let counters = Arc::new(VerificationCounters::default());
        let start = Instant::now();
        let mut pace = pace().with_verification(0.25, Arc::clone(&counters), 100, start);
        assert_eq!(
            pace.limits(1, 2).verifiable_images,
            Some(128.0),
            "at first the minibatch"
        );
        let after = |s| start + Duration::from_secs(s);
        pace.measure_verification(after(1), 200, || 0.1);
        assert_eq!(
            pace.limits(1, 2).verifiable_images,
            Some(128.0),
            "nothing was verified yet"
        );
        counters.cpu_us.store(500_000, Ordering::Relaxed);
        counters.images.store(100_000, Ordering::Relaxed); // 200,000 a second
        pace.measure_verification(after(2), 300, || 0.1); // 100 updates a second, 10 recomputed
        let found = pace.limits(1, 2).verifiable_images.expect("a limit");
        assert!((found - 5_000.0).abs() < 1e-6, "{found}");
        pace.measure_verification(after(2), 900, || 0.5);
        assert_eq!(
            pace.limits(1, 2).verifiable_images,
            Some(found),
            "once a second"
        );
        (3..20).for_each(|s| pace.measure_verification(after(s), 300, || 0.1));
        let idle = pace.limits(1, 2).verifiable_images.expect("a limit");
        assert!(
            idle > 100.0 * found,
            "fewer updates allow larger tasks: {idle}"
        );
    }
}
