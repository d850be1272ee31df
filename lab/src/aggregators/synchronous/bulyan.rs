//! Bulyan: repeated Krum, then the middle of each coordinate.

use crate::aggregators::Aggregator;
use crate::aggregators::math::coordinate_wise::{coordinate_wise, median};
use crate::aggregators::math::distance::squared_distances;
use crate::aggregators::math::finite::aggregate_finite;
use crate::aggregators::synchronous::krum::Neighbours;

/// A rule that repeatedly selects Krum's choice of the remaining gradients, then aggregates each coordinate.
///
/// ```text
///   S   = theta gradients: theta times, move Krum's choice of the rest into S
///   R_k = mean of the beta entries g_ik, i in S, that are closest to their median
/// ```
///
/// The number of neighbours that Krum compares with shrinks with the rest. On ties, the smaller entry is
/// preferred.
///
/// Source: El Mhamdi, Guerraoui, Rouault, "The hidden vulnerability of distributed learning in Byzantium" (ICML 2018,
/// arXiv 1802.07927): `theta = n - 2f`, `beta = theta - 2f`, and `4f + 3 <= n`. Cost: `O(n^2 d)`, and
/// `O(theta n^2)` for the choices.
#[derive(Clone, Copy, Debug)]
pub struct Bulyan {
    /// Neighbours of a gradient in Krum.
    pub neighbours: Neighbours,
    /// `theta`: gradients selected, `1..=n`.
    pub selected: usize,
    /// `beta`: entries averaged in each coordinate, `1..=theta`.
    pub averaged: usize,
}

impl Bulyan {
    /// Returns the parameters of the paper for `n` gradients with `f` Byzantine ones.
    ///
    /// The paper requires `4f + 3 <= n`; for smaller `n`, counts are at least 1.
    pub fn paper(n: usize, f: usize) -> Self {
        let selected = n.saturating_sub(2 * f).max(1);
        Self {
            neighbours: Neighbours::paper(f),
            selected,
            averaged: selected.saturating_sub(2 * f).max(1),
        }
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

impl Aggregator for Bulyan {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        aggregate_finite(gradients, |gradients| {
            coordinate_wise(&self.select(gradients), |values| {
                mean_around_median(values, self.averaged)
            })
        })
    }
}

fn mean_around_median(values: &mut [f32], averaged: usize) -> f64 {
    let middle = median(values);
    let averaged = averaged.clamp(1, values.len());
    let away = |value: &f32| (f64::from(*value) - middle).abs();
    let closer = |a: &f32, b: &f32| away(a).total_cmp(&away(b)).then(a.total_cmp(b));
    values.select_nth_unstable_by(averaged - 1, closer);
    values[..averaged]
        .iter()
        .map(|value| f64::from(*value))
        .sum::<f64>()
        / averaged as f64
}
