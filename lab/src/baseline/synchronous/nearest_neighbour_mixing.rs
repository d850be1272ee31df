//! Nearest-neighbour mixing (NNM): every gradient is averaged with those around it.

use crate::baseline::average::mean;
use crate::baseline::distance::squared_distances;
use crate::baseline::finite::join_finite;
use crate::method::Aggregation;

/// Hands each gradient's neighbourhood to the rule it wraps.
///
/// ```text
///   g'_i = mean of the n - f gradients that are closest to g_i (g_i among them),   R = rule(g'_1, ..., g'_n)
/// ```
///
/// Of two gradients that are equally far, the earlier is taken.
///
/// Source: Allouah, Farhadkhani, Guerraoui, Gupta, Pinot, Stephan, "Fixing by mixing: a recipe for optimal Byzantine ML
/// under heterogeneity" (AISTATS 2023, arXiv 2302.01772). Cost: `O(n^2 d)`, and the rule's.
#[derive(Clone, Debug)]
pub struct NearestNeighbourMixing<R> {
    /// Hostile gradients reckoned with, `0..n`.
    pub f: usize,
    /// What joins the mixed gradients.
    pub rule: R,
}

impl<R: Aggregation> Aggregation for NearestNeighbourMixing<R> {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        join_finite(gradients, |gradients| {
            let distances = squared_distances(gradients);
            let mixed: Vec<Vec<f32>> = distances.iter().map(|row| self.mix(gradients, row)).collect();
            self.rule.aggregate(&mixed.iter().map(Vec::as_slice).collect::<Vec<_>>())
        })
    }
}

impl<R> NearestNeighbourMixing<R> {
    /// The mean of the gradients with the smallest distances, `[n]`.
    fn mix(&self, gradients: &[&[f32]], distances: &[f64]) -> Vec<f32> {
        let kept = gradients.len().saturating_sub(self.f).max(1);
        let mut order: Vec<usize> = (0..gradients.len()).collect();
        order.sort_by(|a, b| distances[*a].total_cmp(&distances[*b]));
        let closest: Vec<&[f32]> = order[..kept].iter().map(|i| gradients[*i]).collect();
        mean(&closest)
    }
}
