//! Distances to the geometric median from pairwise distances alone, for vectors that change one at a time.

use crate::aggregators::math::distance::{norm, squared_distance};

/// Minimum fraction of a sum that a difference keeps. Below it, too few digits are correct.
const MIN_RELATIVE_DIFFERENCE: f64 = 1e-9;

/// Squared distances of all pairs of vectors, and their lengths.
#[derive(Clone, Debug, Default)]
pub struct PairwiseDistances {
    /// `|g_i - g_j|^2`, `[n][n]`.
    squared: Vec<Vec<f64>>,
    /// `|g_i|`, `[n]`.
    norms: Vec<f64>,
}

impl PairwiseDistances {
    /// Updates the distances of vector `i` of `vectors`, `[n][d]`, which has changed or is new at the end. Cost: `O(n d)`.
    pub fn update(&mut self, vectors: &[&[f32]], i: usize) {
        if i == self.norms.len() {
            self.norms.push(0.0);
            self.squared.iter_mut().for_each(|row| row.push(0.0));
            self.squared.push(vec![0.0; self.norms.len()]);
        }
        self.norms[i] = norm(vectors[i]);
        for (j, other) in vectors.iter().enumerate() {
            let squared = squared_distance(vectors[i], other);
            self.squared[i][j] = squared;
            self.squared[j][i] = squared;
        }
    }

    /// Returns `|g_i - z|^2`, `[n]`, with `z` the geometric median by
    /// [`smoothed_weiszfeld`](crate::aggregators::synchronous::smoothed_weiszfeld), which costs `O(T n d)`.
    ///
    /// With `z = sum_j a_j g_j` and `sum_j a_j = 1`, `|g_i - z|^2 = sum_j a_j |g_i - g_j|^2 - c`, where `c` is half of the
    /// mean of these sums with weights `a`. `None` if the difference cancels too many digits, for example with vectors a
    /// billion times longer than the others. Cost: `O(T n^2)`.
    pub fn distances_to_geometric_median(
        &self,
        weights: &[f64],
        smoothing: f64,
        iterations: usize,
    ) -> Option<Vec<f64>> {
        let mut squared: Vec<f64> = self.norms.iter().map(|norm| norm * norm).collect();
        for _ in 0..iterations {
            let pull = |(squared, weight): (&f64, &f64)| weight / squared.sqrt().max(smoothing);
            let pulls: Vec<f64> = squared.iter().zip(weights).map(pull).collect();
            squared = self.distances_to_mean(&pulls)?;
        }
        Some(squared)
    }

    /// Returns `|g_i - z|^2`, `[n]`, with `z` the mean with `weights`, `[n]`.
    fn distances_to_mean(&self, weights: &[f64]) -> Option<Vec<f64>> {
        let total: f64 = weights.iter().sum();
        let mean =
            |values: &[f64]| values.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>() / total;
        let sums: Vec<f64> = self.squared.iter().map(|row| mean(row)).collect();
        let common = mean(&sums) / 2.0;
        sums.iter()
            .map(|sum| Some(sum - common).filter(|left| *left >= MIN_RELATIVE_DIFFERENCE * sum))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregators::synchronous::smoothed_weiszfeld;
    use farsign::random::Stream;

    const SMOOTHING: f64 = 1e-3;
    const ITERATIONS: usize = 8;

    /// Returns vectors, the last of which is `scale` times as long as the others.
    fn vectors(stream: &mut Stream, n: usize, scale: f32) -> Vec<Vec<f32>> {
        let long = |i| if i + 1 == n { scale } else { 1.0 };
        (0..n)
            .map(|i| (0..9).map(|_| long(i) * (stream.unit() - 0.3)).collect())
            .collect()
    }

    fn borrowed(rows: &[Vec<f32>]) -> Vec<&[f32]> {
        rows.iter().map(Vec::as_slice).collect()
    }

    #[test]
    fn distances_match_geometric_median() {
        for seed in 0..500 {
            let mut stream = Stream::new(seed);
            let n = 1 + stream.below(12) as usize;
            let mut rows = vectors(&mut stream, n, [1.0, 5.0, 1000.0][seed as usize % 3]);
            let weights: Vec<f64> = (0..n).map(|_| 1.0 + stream.below(9) as f64).collect();
            let mut pairs = PairwiseDistances::default();
            (0..n).for_each(|i| pairs.update(&borrowed(&rows)[..=i], i));
            let changed = stream.below(n as u64) as usize;
            rows[changed] = vectors(&mut stream, 1, 3.0).remove(0);
            pairs.update(&borrowed(&rows), changed);

            let found = pairs
                .distances_to_geometric_median(&weights, SMOOTHING, ITERATIONS)
                .unwrap();
            let median = smoothed_weiszfeld(&borrowed(&rows), &weights, SMOOTHING, ITERATIONS);
            for (row, found) in rows.iter().zip(found) {
                let found = found.sqrt();
                let expected = squared_distance(row, &median).sqrt();
                // The reference median is rounded to 32 bits.
                assert!(
                    (found - expected).abs() < 1e-6 * (norm(&median) + expected),
                    "seed {seed}: expected {expected}, found {found}"
                );
            }
        }
    }

    #[test]
    fn cancellation_gives_none() {
        let rows = vectors(&mut Stream::new(1), 7, 1e30);
        let mut pairs = PairwiseDistances::default();
        (0..7).for_each(|i| pairs.update(&borrowed(&rows)[..=i], i));
        assert_eq!(
            pairs.distances_to_geometric_median(&[1.0; 7], SMOOTHING, ITERATIONS),
            None
        );
    }
}
