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
///   K          = |g - g_l| / |x - x_l|           l is the last accepted gradient, and x_l the parameters when it came
///   Lipschitz    K <= the (n - f) / n quantile of the newest K_i of every worker that has one
///   frequency    of the newest 2f + 1 accepted gradients, this one included, any f workers sent at most f:
///                each of them has another sender
///   accepted     x <- x - eta s(tau) g
/// ```
///
/// A worker's first gradient is not applied. Before anything was accepted `K` is `K_i`. Where the parameters have not
/// moved, a coefficient is infinite, or 0 if the gradient has not moved either. `K_i` and the worker's previous gradient
/// are kept whether or not the gradient is accepted.
///
/// Source: Damaskinos, El Mhamdi, Guerraoui, Patra, Taziki, "Asynchronous Byzantine machine learning (the case of SGD)"
/// (ICML 2018, arXiv 1802.07928); the coefficients are those of the authors' code, the frequency filter is our reading.
/// It sees who sent a gradient and at which snapshot, and keeps `2d` numbers for each worker. Cost: `O(d + n)` an
/// arrival.
#[derive(Clone, Debug)]
pub struct Kardam {
    options: KardamOptions,
    /// What is known of each worker that has sent something.
    known: BTreeMap<usize, Known>,
    /// The last accepted gradient.
    last: Option<Point>,
    /// Senders of the newest accepted gradients, at most `2f`.
    accepted: VecDeque<usize>,
}

/// A gradient, and the parameters it belongs to; both `[d]`.
#[derive(Clone, Debug)]
struct Point {
    gradient: Vec<f32>,
    x: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Known {
    newest: Point,
    /// `K_i`; none after a first gradient.
    coefficient: Option<f64>,
}

/// How fast the gradient changed from one point to the other.
fn coefficient(from: &Point, to: &Point) -> f64 {
    let change = distance(&to.gradient, &from.gradient);
    if change == 0.0 { 0.0 } else { change / distance(&to.x, &from.x) }
}

impl Kardam {
    /// The rule before its first gradient.
    pub fn new(options: KardamOptions) -> Self {
        Self { options, known: BTreeMap::new(), last: None, accepted: VecDeque::new() }
    }

    /// Keeps the gradient, and gives its worker's `K_i`.
    fn measure(&mut self, arrival: &Arrival<'_>) -> Option<f64> {
        let newest = Point { gradient: arrival.gradient.to_vec(), x: arrival.x_sent.to_vec() };
        let previous = self.known.remove(&arrival.worker);
        let coefficient = previous.map(|previous| coefficient(&previous.newest, &newest));
        self.known.insert(arrival.worker, Known { newest, coefficient });
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

    /// Whether the sender was heard rarely enough. That holds from the first gradient on: with two of one sender among
    /// fewer than `2f + 1`, nobody's would ever be accepted again.
    fn is_rare(&self, worker: usize) -> bool {
        !self.accepted.contains(&worker)
    }
}

impl AsyncRule for Kardam {
    fn receive(&mut self, arrival: &Arrival<'_>, x: &mut [f32]) {
        if !is_finite(arrival.gradient) {
            return;
        }
        let Some(own) = self.measure(arrival) else { return };
        let point = Point { gradient: arrival.gradient.to_vec(), x: x.to_vec() };
        let change = self.last.as_ref().map_or(own, |last| coefficient(last, &point));
        if change > self.threshold() || !self.is_rare(arrival.worker) {
            return;
        }
        descend(x, self.options.step * self.options.staleness.factor(arrival.staleness), arrival.gradient);
        self.last = Some(point);
        self.accepted.push_back(arrival.worker);
        if self.accepted.len() > 2 * self.options.f {
            self.accepted.pop_front();
        }
    }
}
