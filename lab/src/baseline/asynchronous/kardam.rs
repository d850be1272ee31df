//! Kardam: a gradient may not change faster than those of most workers do.

use std::collections::{BTreeMap, VecDeque};

use super::{StalenessFunction, descend};
use crate::baseline::distance::distance;
use crate::baseline::finite::is_finite;
use crate::method::{Arrival, AsyncRule};

/// What Kardam is started with.
#[derive(Clone, Copy, Debug)]
pub struct KardamOptions {
    /// `eta`, above 0.
    pub step: f64,
    /// `s`: how old gradients are dampened.
    pub staleness: StalenessFunction,
    /// `n`: workers, from 1.
    pub workers: usize,
    /// `f`: hostile ones among them; the method asks for `3f < n`.
    pub f: usize,
}

/// Filters gradients by how fast they change and by how often their sender was heard, and dampens old ones.
///
/// ```text
///   K_i        = |g_i - g_i'| / |x_i - x_i'|     ' is worker i's previous gradient, and x_i what it was computed at
///   Lipschitz    K_i <= the (n - f) / n quantile of the newest K of every worker that has one
///   frequency    of the newest 2f + 1 accepted gradients, this one included, any f workers sent at most f
///   accepted     x <- x - eta s(tau) g_i
/// ```
///
/// A worker's first gradient can be compared with nothing and is not applied. Where `x_i` has not moved, `K_i` is
/// infinite, or 0 if the gradient has not moved either. `K_i` and the previous gradient are kept whether or not the
/// gradient is accepted.
///
/// Source: Damaskinos, El Mhamdi, Guerraoui, Patra, Taziki, "Asynchronous Byzantine machine learning (the case of SGD)"
/// (ICML 2018, arXiv 1802.07928); these details are our reading. It sees who sent a gradient and at which snapshot, and
/// keeps `2d` numbers for each worker. Cost: `O(d + n)` an arrival.
#[derive(Clone, Debug)]
pub struct Kardam {
    options: KardamOptions,
    /// What is known of each worker that has sent something.
    known: BTreeMap<usize, Known>,
    /// Senders of the newest accepted gradients, at most `2f`.
    accepted: VecDeque<usize>,
}

#[derive(Clone, Debug)]
struct Known {
    gradient: Vec<f32>,
    x: Vec<f32>,
    /// `K`; none after a first gradient.
    coefficient: Option<f64>,
}

impl Kardam {
    /// The rule before its first gradient.
    pub fn new(options: KardamOptions) -> Self {
        Self { options, known: BTreeMap::new(), accepted: VecDeque::new() }
    }

    /// Keeps the gradient, and gives its `K`.
    fn measure(&mut self, arrival: &Arrival<'_>) -> Option<f64> {
        let previous = self.known.remove(&arrival.worker);
        let coefficient = previous.map(|previous| {
            let change = distance(arrival.gradient, &previous.gradient);
            if change == 0.0 { 0.0 } else { change / distance(arrival.x_sent, &previous.x) }
        });
        let (gradient, x) = (arrival.gradient.to_vec(), arrival.x_sent.to_vec());
        self.known.insert(arrival.worker, Known { gradient, x, coefficient });
        coefficient
    }

    /// The `(n - f) / n` quantile of the coefficients that are known, of which there is at least one; rounded down, so
    /// that it is strict while few are.
    fn threshold(&self) -> f64 {
        let mut coefficients: Vec<f64> = self.known.values().filter_map(|known| known.coefficient).collect();
        coefficients.sort_by(f64::total_cmp);
        let KardamOptions { workers, f, .. } = self.options;
        let kept = coefficients.len() * workers.saturating_sub(f) / workers.max(1);
        coefficients[kept.clamp(1, coefficients.len()) - 1]
    }

    /// Whether the sender was heard rarely enough.
    fn is_rare(&self, worker: usize) -> bool {
        let mut counts = BTreeMap::from([(worker, 1)]);
        self.accepted.iter().for_each(|worker| *counts.entry(*worker).or_default() += 1);
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.iter().take(self.options.f).sum::<usize>() <= self.options.f
    }
}

impl AsyncRule for Kardam {
    fn receive(&mut self, arrival: &Arrival<'_>, x: &mut [f32]) {
        if !is_finite(arrival.gradient) {
            return;
        }
        let Some(coefficient) = self.measure(arrival) else { return };
        if coefficient > self.threshold() || !self.is_rare(arrival.worker) {
            return;
        }
        descend(x, self.options.step * self.options.staleness.factor(arrival.staleness), arrival.gradient);
        self.accepted.push_back(arrival.worker);
        if self.accepted.len() > 2 * self.options.f {
            self.accepted.pop_front();
        }
    }
}
