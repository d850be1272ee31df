//! Estimates of the honest sign error and of the tolerated Byzantine fraction, from the updates alone.
//!
//! The true signs are not needed. If an update is wrong about the sign of coordinate `k` with probability `p_k`, the
//! mean of its sign times the true one is `c_k = 1 - 2 p_k`. In a product of the signs of an even number of independent
//! updates, the true sign cancels:
//!
//! ```text
//!   A = mean of s_k t_k          = mean of c_k^2      two recent updates
//!   B = mean of s_k t_k u_k v_k  = mean of c_k^4      four of them
//!   L = mean of s_k t_k          = mean of c_k l_k    one update, and the one applied at the parameters it was computed at
//!
//!   mean of l_k ~ L sqrt(A / B)            l_k of an applied, stale update corresponds to c_k of a fresh one
//!   p  = (1 - mean of l_k) / 2
//!   f* = (1 - 2 p) / (2 - 2 p)             tolerated fraction of the weight, docs/algorithm.md, section 7
//! ```
//!
//! `A` alone would give `sqrt(A)`, which exceeds the mean of `c_k` if coordinates differ: a few of them carry the
//! gradient, and the rest are coins. `A^(3/2) / B^(1/2)` never exceeds it (Hoelder's inequality), and equals it if all
//! coordinates are alike or coins. An update is applied to parameters that have moved since it was computed: `L / A` is
//! the cost of this staleness.
//!
//! All three are moving averages over updates of different volunteers, on a few hundred coordinates. The estimate needs
//! a sign for every coordinate, so it exists only for `coordinate` directions with `K = d` in first order. It does not
//! exist under `vote`, where updates share minibatches and therefore errors. With fewer than four volunteers `B` is
//! taken to be `A^2`; without stale updates `L` is taken to be `A`.
//!
//! This is an estimate and not a certificate. It assumes independent errors and mostly honest updates. Sign-flipping
//! attackers make `p` too large and `f*` too small; attackers that all send the same bits can make `p` look small. A
//! coordinate without information, whose signs are coins, counts with `p = 1/2`. `farsign lab tolerance` measures the
//! error of the estimate; docs/results/tolerance.md has the results.

use std::collections::VecDeque;

use crate::direction::{DirectionFamily, DirectionSpec};
use crate::estimate::Order;
use crate::optimizer::Rule;
use crate::random::Stream;
use crate::sign::SignBits;
use crate::task::VolunteerId;

/// Number of compared coordinates, a multiple of 64. The estimate then settles within some dozens of updates.
const SAMPLED_COORDINATES: usize = 512;

/// Seed of the sampled coordinates. It may be public: an attacker that sends true signs there only makes the estimate
/// one of honest updates.
const SAMPLE_SEED: u64 = 0x5afe_7e57_1ace_0001;

/// Largest number of accepted updates between two compared ones. Beyond it the parameters, and so the true signs, may
/// have changed.
const MAX_STALENESS: u64 = 32;

/// Number of applied updates that stale ones can be compared with.
const HISTORY_CAPACITY: usize = 1024;

/// Number of samples before an average is used.
const MIN_SAMPLES: u64 = 64;

/// Number of samples that a moving average covers.
const WINDOW: u64 = 256;

/// An estimate of the honest sign error and of the tolerated Byzantine fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Probability `p` that an honest update is wrong about a sign, 0 to 1/2.
    pub sign_error: f64,
    /// Tolerated Byzantine fraction `f*` of the weight, 0 to 1/2.
    pub tolerated_fraction: f64,
}

impl Tolerance {
    /// Computes the estimate from `accuracy`, the mean of `l_k` over coordinates, 0 to 1.
    fn from_accuracy(accuracy: f64) -> Self {
        let p = (1.0 - accuracy) / 2.0;
        Self {
            sign_error: p,
            tolerated_fraction: (1.0 - 2.0 * p) / (2.0 - 2.0 * p),
        }
    }
}

/// Packed signs of the sampled coordinates; bits are those of [`SignBits`].
type Sample = [u64; SAMPLED_COORDINATES / 64];

/// A recent update, reduced to the sampled coordinates.
#[derive(Clone, Copy, Debug)]
struct Observation {
    volunteer: VolunteerId,
    update: u64,
    sample: Sample,
}

/// A plain mean at first, then an exponential moving average.
#[derive(Clone, Copy, Debug, Default)]
struct RunningMean {
    value: f64,
    count: u64,
}

impl RunningMean {
    fn push(&mut self, value: f64) {
        self.count += 1;
        self.value += (value - self.value) / self.count.min(WINDOW) as f64;
    }

    /// Returns the average; `None` if there are too few samples.
    fn value(self) -> Option<f64> {
        (self.count >= MIN_SAMPLES).then_some(self.value)
    }
}

/// An estimator of the tolerance from the agreement of updates.
#[derive(Clone, Debug)]
pub struct AgreementEstimator {
    /// Compared coordinates; empty if updates are not comparable.
    coordinates: Vec<u32>,
    /// Newest updates of four volunteers, newest first.
    latest: Vec<Observation>,
    /// Newest applied updates, oldest first.
    applied: VecDeque<Observation>,
    /// `A`.
    pairs: RunningMean,
    /// `B`.
    fours: RunningMean,
    /// `L`.
    stale: RunningMean,
}

impl AgreementEstimator {
    /// Creates an estimator for a run's directions, order and rule.
    pub fn new(directions: DirectionSpec, order: Order, rule: Rule) -> Self {
        let d = directions.parameters();
        let comparable = directions.family() == DirectionFamily::Coordinate
            && directions.count() == d
            && order == Order::First
            && rule == Rule::Plain;
        let mut stream = Stream::new(SAMPLE_SEED);
        let coordinates = match () {
            () if !comparable => Vec::new(),
            () if d <= SAMPLED_COORDINATES => (0..d as u32).collect(),
            () => (0..SAMPLED_COORDINATES)
                .map(|_| stream.below(d as u64) as u32)
                .collect(),
        };
        Self {
            coordinates,
            latest: Vec::with_capacity(5),
            applied: VecDeque::new(),
            pairs: RunningMean::default(),
            fours: RunningMean::default(),
            stale: RunningMean::default(),
        }
    }

    /// Adds an update that the optimizer has applied, so that it has a sign per direction.
    ///
    /// `update` is its number, and `computed_at` the number of accepted updates in the parameters it was computed at.
    /// Returns the fraction of compared signs that equal those of another volunteer's newest update, 0 to 1. `None` if
    /// there is no recent one, or updates are not comparable.
    pub fn observe(
        &mut self,
        volunteer: VolunteerId,
        update: u64,
        computed_at: u64,
        signs: &SignBits,
    ) -> Option<f64> {
        if self.coordinates.is_empty() {
            return None;
        }
        let observation = Observation {
            volunteer,
            update,
            sample: self.sample(signs),
        };
        self.compare_with_stale(&observation, computed_at);
        self.latest
            .retain(|other| other.volunteer != volunteer && update - other.update <= MAX_STALENESS);
        self.latest.insert(0, observation);
        self.latest.truncate(4);
        if self.applied.len() == HISTORY_CAPACITY {
            self.applied.pop_front();
        }
        self.applied.push_back(observation);
        if let [a, b, c, d] = self.latest[..] {
            self.fours
                .push(self.agreement(&[a.sample, b.sample, c.sample, d.sample]));
        }
        let [a, b, ..] = self.latest[..] else {
            return None;
        };
        let agreement = self.agreement(&[a.sample, b.sample]);
        self.pairs.push(agreement);
        Some(f64::midpoint(1.0, agreement))
    }

    /// Compares an update with the one that was applied at the parameters it was computed at.
    fn compare_with_stale(&mut self, observation: &Observation, computed_at: u64) {
        let oldest = self
            .applied
            .front()
            .map_or(observation.update, |oldest| oldest.update);
        let applied = (computed_at + 1)
            .checked_sub(oldest)
            .and_then(|at| self.applied.get(at as usize));
        if let Some(applied) = applied
            && applied.volunteer != observation.volunteer
        {
            self.stale
                .push(self.agreement(&[observation.sample, applied.sample]));
        }
    }

    /// Returns the current estimate; `None` if there are too few comparable updates.
    pub fn tolerance(&self) -> Option<Tolerance> {
        let a = self.pairs.value()?.clamp(0.0, 1.0);
        if a == 0.0 {
            return Some(Tolerance::from_accuracy(0.0));
        }
        // The mean of a square is at least the square of the mean, and a stale update is no more accurate.
        let b = self.fours.value().unwrap_or(a * a).clamp(a * a, a);
        let l = self.stale.value().unwrap_or(a).clamp(0.0, a);
        Some(Tolerance::from_accuracy(l * (a / b).sqrt()))
    }

    fn sample(&self, signs: &SignBits) -> Sample {
        let bytes = signs.as_bytes();
        let mut sample = Sample::default();
        for (n, &coordinate) in self.coordinates.iter().enumerate() {
            let byte = bytes[coordinate as usize / 8];
            sample[n / 64] |= u64::from(byte >> (coordinate % 8) & 1) << (n % 64);
        }
        sample
    }

    /// Returns the mean of the product of the signs, -1 to 1.
    fn agreement(&self, samples: &[Sample]) -> f64 {
        let word = |n: usize| {
            samples
                .iter()
                .fold(0, |product, sample| product ^ sample[n])
                .count_ones()
        };
        let minus: u32 = (0..SAMPLED_COORDINATES / 64).map(word).sum();
        1.0 - 2.0 * f64::from(minus) / self.coordinates.len() as f64
    }
}

#[cfg(test)]
mod tests;
