//! The pace of the learner: how many updates it takes a second, and how many images it can verify.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::counters::VerificationCounters;
use crate::run::board::Capacity;

/// Factor by which earlier batches count less with each further one.
const DECAY: f64 = 0.99;

/// Updates in the decaying sum before the pace is known.
const MIN_UPDATES: f64 = 32.0;

/// Time between two measurements of verification.
const VERIFICATION_INTERVAL: Duration = Duration::from_secs(1);

/// CPU time of verification before its pace is known, in seconds.
const MIN_VERIFICATION_S: f64 = 0.01;

/// The measured pace of a learner and its verifiers.
#[derive(Debug, Default)]
pub(super) struct LearnerPace {
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
    /// Images of an average task that it can afford.
    images: f64,
}

impl LearnerPace {
    /// Measures verification too, which may use `cpu_fraction` of a core, and before it is measured can afford `images`.
    /// The run has `accepted` updates.
    pub fn with_verification(
        mut self,
        cpu_fraction: f64,
        images: u32,
        counters: Arc<VerificationCounters>,
        accepted: u64,
        now: Instant,
    ) -> Self {
        self.verification = Some(VerificationPace {
            cpu_fraction,
            counters,
            measured: now,
            accepted,
            updates_per_s: None,
            images: images.into(),
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
            verification.images = images;
        }
    }

    /// Returns what the learner and its verifiers can take.
    pub fn capacity(&self) -> Capacity {
        let is_known = self.updates >= MIN_UPDATES && self.busy_s > 0.0;
        Capacity {
            updates_per_s: is_known.then(|| self.updates / self.busy_s),
            verifiable_images: self.verification.as_ref().map(|pace| pace.images),
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
    use super::*;

    #[test]
    fn busy_time_gives_update_rate() {
        let mut pace = LearnerPace::default();
        assert_eq!(pace.capacity(), Capacity::default());
        for _ in 0..1000 {
            pace.record_batch(4, Duration::from_millis(2));
            pace.record_batch(0, Duration::from_secs(1)); // a batch without updates
        }
        let found = pace.capacity().updates_per_s.expect("known");
        assert!((found - 2000.0).abs() < 1.0, "{found}");
    }

    #[test]
    fn affordable_images_follow_budget() {
        let counters = Arc::new(VerificationCounters::default());
        let start = Instant::now();
        let shared = Arc::clone(&counters);
        let mut pace = LearnerPace::default().with_verification(0.25, 128, shared, 100, start);
        assert_eq!(
            pace.capacity().verifiable_images,
            Some(128.0),
            "at first the minibatch"
        );
        let after = |s| start + Duration::from_secs(s);
        pace.measure_verification(after(1), 200, || 0.1);
        assert_eq!(
            pace.capacity().verifiable_images,
            Some(128.0),
            "nothing was verified yet"
        );
        counters.cpu_us.store(500_000, Ordering::Relaxed);
        counters.images.store(100_000, Ordering::Relaxed); // 200,000 a second
        pace.measure_verification(after(2), 300, || 0.1); // 100 updates a second, 10 recomputed
        let found = pace.capacity().verifiable_images.expect("a limit");
        assert!((found - 5_000.0).abs() < 1e-6, "{found}");
        pace.measure_verification(after(2), 900, || 0.5);
        assert_eq!(
            pace.capacity().verifiable_images,
            Some(found),
            "once a second"
        );
        (3..20).for_each(|s| pace.measure_verification(after(s), 300, || 0.1));
        let idle = pace.capacity().verifiable_images.expect("a limit");
        assert!(
            idle > 100.0 * found,
            "fewer updates allow larger tasks: {idle}"
        );
    }
}
