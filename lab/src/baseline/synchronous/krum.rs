//! Krum and Multi-Krum: trust the gradients that have the closest company.
//!
//! ```text
//!   s_i = sum of |g_i - g_j|^2 over the k gradients j that are closest to i (without i),   k = n - f - offset
//! ```

use crate::baseline::average::mean;
use crate::baseline::distance::squared_distances;
use crate::baseline::finite::join_finite;
use crate::method::Aggregation;

/// How many of the others a gradient is compared with: `k = n - f - offset`, cut to `1..=n - 1`.
///
/// The paper and flwr take an offset of 2, byzfl one of 1.
#[derive(Clone, Copy, Debug)]
pub struct Neighbours {
    /// Hostile gradients reckoned with.
    pub f: usize,
    /// What else is left out.
    pub offset: usize,
}

impl Neighbours {
    /// The count of the paper: `k = n - f - 2`.
    pub fn paper(f: usize) -> Self {
        Self { f, offset: 2 }
    }

    fn among(self, n: usize) -> usize {
        n.saturating_sub(self.f + self.offset).max(1).min(n - 1)
    }

    /// Positions in `members`, best score first; of equal scores, the earlier member first.
    ///
    /// `members` are rows of `distances`, at least one.
    pub(super) fn ranking(self, distances: &[Vec<f64>], members: &[usize]) -> Vec<usize> {
        let scores: Vec<f64> = members.iter().map(|i| self.score(&distances[*i], *i, members)).collect();
        let mut ranking: Vec<usize> = (0..members.len()).collect();
        ranking.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        ranking
    }

    fn score(self, distances: &[f64], i: usize, members: &[usize]) -> f64 {
        let k = self.among(members.len());
        let mut others: Vec<f64> = members.iter().filter(|j| **j != i).map(|j| distances[*j]).collect();
        if k < others.len() {
            others.select_nth_unstable_by(k, f64::total_cmp);
        }
        others[..k].iter().sum()
    }
}

/// `R = g_i` for the `i` with the smallest score.
///
/// Source: Blanchard, El Mhamdi, Guerraoui, Stainer, "Machine learning with adversaries: Byzantine tolerant gradient
/// descent" (NeurIPS 2017, arXiv 1703.02757), "The Krum function". Stands `2f + 2 < n`. Cost: `O(n^2 d)`.
#[derive(Clone, Copy, Debug)]
pub struct Krum {
    /// Whom a gradient is compared with.
    pub neighbours: Neighbours,
}

impl Aggregation for Krum {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        MultiKrum { neighbours: self.neighbours, selected: 1 }.aggregate(gradients)
    }
}

/// `R = ` mean of the `selected` gradients with the smallest scores.
///
/// Source: as [`Krum`] (`m` there). Cost: `O(n^2 d)`.
#[derive(Clone, Copy, Debug)]
pub struct MultiKrum {
    /// Whom a gradient is compared with.
    pub neighbours: Neighbours,
    /// Gradients averaged, `1..=n`; a round that is smaller is averaged whole. byzfl takes `n - f`.
    pub selected: usize,
}

impl Aggregation for MultiKrum {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        join_finite(gradients, |gradients| {
            let members: Vec<usize> = (0..gradients.len()).collect();
            let ranking = self.neighbours.ranking(&squared_distances(gradients), &members);
            let selected: Vec<&[f32]> =
                ranking.iter().take(self.selected.max(1)).map(|i| gradients[*i]).collect();
            mean(&selected)
        })
    }
}
