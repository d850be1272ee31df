//! Krum and Multi-Krum: select the gradients with the closest neighbours.
//!
//! ```text
//!   s_i = sum of |g_i - g_j|^2 over the k gradients j that are closest to i (without i),   k = n - f - offset
//! ```

use crate::aggregators::Aggregator;
use crate::aggregators::math::distance::squared_distances;
use crate::aggregators::math::finite::aggregate_finite;
use crate::aggregators::math::mean::mean;

/// The number of neighbours of a gradient: `k = n - f - offset`, clamped to `1..=n - 1`.
///
/// The paper and flwr use an offset of 2, byzfl uses 1.
#[derive(Clone, Copy, Debug)]
pub struct Neighbours {
    /// Byzantine gradients.
    pub f: usize,
    /// Further gradients to exclude.
    pub offset: usize,
}

impl Neighbours {
    /// Returns the paper's number: `k = n - f - 2`.
    pub fn paper(f: usize) -> Self {
        Self { f, offset: 2 }
    }

    fn among(self, n: usize) -> usize {
        n.saturating_sub(self.f + self.offset).max(1).min(n - 1)
    }

    /// Returns positions in `candidates`, best score first; on ties, the earlier candidate first.
    ///
    /// `candidates` are rows of `distances`, at least one.
    pub(super) fn ranking(self, distances: &[Vec<f64>], candidates: &[usize]) -> Vec<usize> {
        let scores: Vec<f64> = candidates
            .iter()
            .map(|i| self.score(&distances[*i], *i, candidates))
            .collect();
        let mut ranking: Vec<usize> = (0..candidates.len()).collect();
        ranking.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        ranking
    }

    fn score(self, distances: &[f64], i: usize, candidates: &[usize]) -> f64 {
        let k = self.among(candidates.len());
        let mut others: Vec<f64> = candidates
            .iter()
            .filter(|j| **j != i)
            .map(|j| distances[*j])
            .collect();
        if k < others.len() {
            others.select_nth_unstable_by(k, f64::total_cmp);
        }
        others[..k].iter().sum()
    }
}

/// `R = g_i` for the `i` with the smallest score.
///
/// Source: Blanchard, El Mhamdi, Guerraoui, Stainer, "Machine learning with adversaries: Byzantine tolerant gradient
/// descent" (NeurIPS 2017, arXiv 1703.02757), "The Krum function". Tolerates `2f + 2 < n`. Cost: `O(n^2 d)`.
#[derive(Clone, Copy, Debug)]
pub struct Krum {
    /// Neighbours of a gradient.
    pub neighbours: Neighbours,
}

impl Aggregator for Krum {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        MultiKrum {
            neighbours: self.neighbours,
            selected: 1,
        }
        .aggregate(gradients)
    }
}

/// `R = ` mean of the `selected` gradients with the smallest scores.
///
/// Source: as for [`Krum`] (`m` there). Cost: `O(n^2 d)`.
#[derive(Clone, Copy, Debug)]
pub struct MultiKrum {
    /// Neighbours of a gradient.
    pub neighbours: Neighbours,
    /// Averaged gradients, `1..=n`; all gradients of a smaller round. byzfl uses `n - f`.
    pub selected: usize,
}

impl Aggregator for MultiKrum {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        aggregate_finite(gradients, |gradients| {
            let candidates: Vec<usize> = (0..gradients.len()).collect();
            let ranking = self
                .neighbours
                .ranking(&squared_distances(gradients), &candidates);
            let selected: Vec<&[f32]> = ranking
                .iter()
                .take(self.selected.max(1))
                .map(|i| gradients[*i])
                .collect();
            mean(&selected)
        })
    }
}
