//! Kardam: rejects gradients that change faster than those of most workers.

use std::collections::{BTreeMap, VecDeque};

use crate::aggregators::math::distance::distance;
use crate::aggregators::math::finite::is_finite;
use crate::aggregators::math::sgd::descend;
use crate::aggregators::math::staleness::StalenessFunction;
use crate::aggregators::{AsyncAggregator, GradientUpdate};

/// Parameters of Kardam.
#[derive(Clone, Copy, Debug)]
pub struct KardamOptions {
    /// `eta`, above 0.
    pub step: f64,
    /// `s`: dampening of old gradients.
    pub staleness: StalenessFunction,
    /// `n`: workers, from 1.
    pub workers: usize,
    /// `f`: Byzantine ones among them; the method requires `3f < n`.
    pub f: usize,
}

/// A rule that filters gradients by their rate of change and by the frequency of their sender, and dampens old ones.
///
/// ```text
///   K_i        = |g_i - g_i'| / |x_i - x_i'|     ' is worker i's previous gradient, and x_i the parameters of its task
///   K          = |g - g_l| / |x - x_l|           l is the last accepted gradient, and x_l the parameters on arrival
///   Lipschitz    K <= the (n - f) / n quantile of the newest K_i of all workers that have one
///   frequency    of the newest 2f + 1 accepted gradients, this one included, any f workers sent at most f:
///                all of them have different senders
///   accepted     x <- x - eta s(tau) g
/// ```
///
/// A worker's first gradient is not applied. Before the first accepted gradient `K` is `K_i`. If the parameters have not
/// moved, a coefficient is infinite, or 0 if the gradient has not moved either. `K_i` and the worker's previous gradient
/// are updated for rejected gradients too.
///
/// Source: Damaskinos, El Mhamdi, Guerraoui, Patra, Taziki, "Asynchronous Byzantine machine learning (the case of SGD)"
/// (ICML 2018, arXiv 1802.07928); the coefficients are those of the authors' code, the frequency filter is our reading.
/// Uses the sender of a gradient and its snapshot, and keeps `2d` numbers for each worker. Cost: `O(d + n)` per update.
#[derive(Clone, Debug)]
pub struct Kardam {
    options: KardamOptions,
    /// History of each worker that has sent a gradient.
    history: BTreeMap<usize, WorkerHistory>,
    /// The last accepted gradient.
    last: Option<Observation>,
    /// Senders of the newest accepted gradients, at most `2f`.
    accepted: VecDeque<usize>,
}

/// A gradient and its parameters; both `[d]`.
#[derive(Clone, Debug)]
struct Observation {
    gradient: Vec<f32>,
    x: Vec<f32>,
}

#[derive(Clone, Debug)]
struct WorkerHistory {
    newest: Observation,
    /// `K_i`; `None` after the first gradient.
    coefficient: Option<f64>,
}

/// Returns the rate of change of the gradient between two observations.
fn coefficient(from: &Observation, to: &Observation) -> f64 {
    let change = distance(&to.gradient, &from.gradient);
    if change == 0.0 {
        0.0
    } else {
        change / distance(&to.x, &from.x)
    }
}

impl Kardam {
    /// Creates the rule without any gradient.
    pub fn new(options: KardamOptions) -> Self {
        Self {
            options,
            history: BTreeMap::new(),
            last: None,
            accepted: VecDeque::new(),
        }
    }

    /// Records the gradient, and returns its worker's `K_i`.
    fn measure(&mut self, update: &GradientUpdate<'_>) -> Option<f64> {
        let newest = Observation {
            gradient: update.gradient.to_vec(),
            x: update.x_sent.to_vec(),
        };
        let previous = self.history.remove(&update.worker);
        let coefficient = previous.map(|previous| coefficient(&previous.newest, &newest));
        self.history.insert(
            update.worker,
            WorkerHistory {
                newest,
                coefficient,
            },
        );
        coefficient
    }

    /// Returns the `(n - f) / n` quantile of the known coefficients, at least one. The index is rounded down, so the
    /// threshold is strict while few are known.
    fn threshold(&self) -> f64 {
        let mut coefficients: Vec<f64> = self
            .history
            .values()
            .filter_map(|worker| worker.coefficient)
            .collect();
        coefficients.sort_by(f64::total_cmp);
        let KardamOptions { workers, f, .. } = self.options;
        let kept = coefficients.len() * workers.saturating_sub(f) / workers.max(1);
        coefficients[kept.clamp(1, coefficients.len()) - 1]
    }

    /// Returns whether the frequency filter accepts the sender.
    ///
    /// It applies from the first gradient on: with two gradients of one sender among fewer than `2f + 1`, no gradient
    /// would ever be accepted again.
    fn is_rare(&self, worker: usize) -> bool {
        !self.accepted.contains(&worker)
    }
}

impl AsyncAggregator for Kardam {
    fn receive(&mut self, update: &GradientUpdate<'_>, x: &mut [f32]) {
        if !is_finite(update.gradient) {
            return;
        }
        let Some(own) = self.measure(update) else {
            return;
        };
        let point = Observation {
            gradient: update.gradient.to_vec(),
            x: x.to_vec(),
        };
        let change = self
            .last
            .as_ref()
            .map_or(own, |last| coefficient(last, &point));
        if change > self.threshold() || !self.is_rare(update.worker) {
            return;
        }
        descend(
            x,
            self.options.step * self.options.staleness.factor(update.staleness),
            update.gradient,
        );
        self.last = Some(point);
        self.accepted.push_back(update.worker);
        if self.accepted.len() > 2 * self.options.f {
            self.accepted.pop_front();
        }
    }
}
