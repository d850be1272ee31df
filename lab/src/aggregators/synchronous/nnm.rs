//! Nearest-neighbour mixing (NNM): averages each gradient with its neighbours.

use crate::aggregators::Aggregator;
use crate::aggregators::math::distance::squared_distances;
use crate::aggregators::math::finite::aggregate_finite;
use crate::aggregators::math::mean::mean;

/// A pre-aggregator that passes the mean of each gradient's neighbourhood to the rule it wraps.
///
/// ```text
///   g'_i = mean of the n - f gradients that are closest to g_i (g_i among them),   R = rule(g'_1, ..., g'_n)
/// ```
///
/// On ties, the earlier gradient is preferred.
///
/// Source: Allouah, Farhadkhani, Guerraoui, Gupta, Pinot, Stephan, "Fixing by mixing: a recipe for optimal Byzantine ML
/// under heterogeneity" (AISTATS 2023, arXiv 2302.01772). Cost: `O(n^2 d)`, and the cost of the rule.
#[derive(Clone, Debug)]
pub struct NearestNeighbourMixing<R> {
    /// Byzantine gradients, `0..n`.
    pub f: usize,
    /// Rule that aggregates the mixed gradients.
    pub rule: R,
}

impl<R: Aggregator> Aggregator for NearestNeighbourMixing<R> {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        aggregate_finite(gradients, |gradients| {
            let distances = squared_distances(gradients);
            let mixed: Vec<Vec<f32>> = distances
                .iter()
                .map(|row| self.mix(gradients, row))
                .collect();
            self.rule
                .aggregate(&mixed.iter().map(Vec::as_slice).collect::<Vec<_>>())
        })
    }
}

impl<R> NearestNeighbourMixing<R> {
    /// Returns the mean of the gradients with the smallest `distances`, `[n]`.
    fn mix(&self, gradients: &[&[f32]], distances: &[f64]) -> Vec<f32> {
        let kept = gradients.len().saturating_sub(self.f).max(1);
        let mut order: Vec<usize> = (0..gradients.len()).collect();
        order.sort_by(|a, b| distances[*a].total_cmp(&distances[*b]));
        let closest: Vec<&[f32]> = order[..kept].iter().map(|i| gradients[*i]).collect();
        mean(&closest)
    }
}
