//! Bulyan: Krum again and again, then the middle of each coordinate.

use super::krum::Neighbours;
use crate::baseline::coordinate::{by_coordinate, median};
use crate::baseline::distance::squared_distances;
use crate::baseline::finite::join_finite;
use crate::method::Aggregation;

/// Selects gradients one by one, each time Krum's choice among those that are left; then joins each coordinate.
///
/// ```text
///   S   = theta gradients: theta times, move Krum's choice of the rest into S
///   R_k = mean of the beta entries g_ik, i in S, that are closest to their median
/// ```
///
/// As the rest shrinks, so does the number of neighbours that Krum compares with. Of two entries that are equally far
/// from the median, the smaller is taken.
///
/// Source: El Mhamdi, Guerraoui, Rouault, "The hidden vulnerability of distributed learning in Byzantium" (ICML 2018,
/// arXiv 1802.07927): `theta = n - 2f`, `beta = theta - 2f`, and `4f + 3 <= n`. Cost: `O(n^2 d)`, and
/// `O(theta n^2)` for the choices.
#[derive(Clone, Copy, Debug)]
pub struct Bulyan {
    /// Whom Krum compares a gradient with.
    pub neighbours: Neighbours,
    /// `theta`: gradients selected, `1..=n`.
    pub selected: usize,
    /// `beta`: entries averaged in each coordinate, `1..=theta`.
    pub averaged: usize,
}

impl Bulyan {
    /// The parameters of the paper for `n` gradients of which `f` are hostile. Without `4f + 3 <= n` it has none;
    /// counts then do not fall below 1.
    pub fn paper(n: usize, f: usize) -> Self {
        let selected = n.saturating_sub(2 * f).max(1);
        Self { neighbours: Neighbours::paper(f), selected, averaged: selected.saturating_sub(2 * f).max(1) }
    }

    fn select<'a>(&self, gradients: &[&'a [f32]]) -> Vec<&'a [f32]> {
        let distances = squared_distances(gradients);
        let mut rest: Vec<usize> = (0..gradients.len()).collect();
        let mut selected = Vec::new();
        while !rest.is_empty() && selected.len() < self.selected.max(1) {
            let best = self.neighbours.ranking(&distances, &rest)[0];
            selected.push(gradients[rest.remove(best)]);
        }
        selected
    }
}

impl Aggregation for Bulyan {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        join_finite(gradients, |gradients| {
            by_coordinate(&self.select(gradients), |values| mean_around_median(values, self.averaged))
        })
    }
}

fn mean_around_median(values: &mut [f32], averaged: usize) -> f64 {
    let (middle, averaged) = (median(values), averaged.clamp(1, values.len()));
    let away = |value: &f32| (f64::from(*value) - middle).abs();
    let closer = |a: &f32, b: &f32| away(a).total_cmp(&away(b)).then(a.total_cmp(b));
    values.select_nth_unstable_by(averaged - 1, closer);
    values[..averaged].iter().map(|value| f64::from(*value)).sum::<f64>() / averaged as f64
}
