//! Euclidean distances between gradients.
//!
//! Differences are computed before they are squared, in 64 bits. Products of whole gradients (`aa - 2ab + bb`) would cost
//! about the same at these sizes, and would cancel where distances are small relative to the gradients.

use farsign::simd::dispatch;

/// Parallel sums, so the compiler can use vectors.
const LANES: usize = 8;

/// Coordinates per block of all pairs: with fifty gradients, a block fits into a near cache.
const BLOCK: usize = 1024;

/// Returns `|a - b|^2`, with the widest vectors of the machine; the bits do not depend on their width.
pub fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    dispatch(
        #[inline(always)]
        move || squared_distance_by_lanes(a, b),
    )
}

#[inline(always)]
fn squared_distance_by_lanes(a: &[f32], b: &[f32]) -> f64 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            lanes[lane] += square_of_difference(a[lane], b[lane]);
        }
    }
    let rest = a_rest
        .iter()
        .zip(b_rest)
        .map(|(a, b)| square_of_difference(*a, *b));
    lanes.iter().sum::<f64>() + rest.sum::<f64>()
}

#[inline(always)]
fn square_of_difference(a: f32, b: f32) -> f64 {
    let difference = f64::from(a) - f64::from(b);
    difference * difference
}

/// Returns `|a - b|`.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    squared_distance(a, b).sqrt()
}

/// Returns `a . b`.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

/// Returns `|a|`.
pub fn norm(a: &[f32]) -> f64 {
    dot(a, a).sqrt()
}

/// Returns `|g_i - g_j|^2` for all pairs, `[n][n]`. Needs a gradient.
///
/// Cost: `n^2 d / 2` differences.
pub fn squared_distances(gradients: &[&[f32]]) -> Vec<Vec<f64>> {
    let n = gradients.len();
    let d = gradients[0].len();
    let mut distances = vec![vec![0.0; n]; n];
    for start in (0..d).step_by(BLOCK) {
        let block = start..d.min(start + BLOCK);
        for i in 0..n {
            for j in 0..i {
                distances[i][j] +=
                    squared_distance(&gradients[i][block.clone()], &gradients[j][block.clone()]);
            }
        }
    }
    for i in 0..n {
        for j in 0..i {
            distances[j][i] = distances[i][j];
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::random::Stream;

    /// The definition, coordinate by coordinate.
    fn by_definition(a: &[f32], b: &[f32]) -> f64 {
        let mut sum = 0.0;
        for k in 0..a.len() {
            sum += (f64::from(a[k]) - f64::from(b[k])).powi(2);
        }
        sum
    }

    #[test]
    fn distances_match_definition() {
        for d in [1, 7, 8, 9, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 13] {
            let mut stream = Stream::new(d as u64);
            let offset = 1000.0; // far from zero, where products would cancel
            let rows: Vec<Vec<f32>> = (0..5)
                .map(|_| (0..d).map(|_| offset + stream.unit()).collect())
                .collect();
            let gradients: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
            let distances = squared_distances(&gradients);
            for (i, j) in (0..5).flat_map(|i| (0..5).map(move |j| (i, j))) {
                let expected = by_definition(gradients[i], gradients[j]);
                let found = distances[i][j];
                assert!(
                    (found - expected).abs() <= 1e-12 * expected,
                    "d = {d}, ({i}, {j}): {found}, not {expected}"
                );
            }
        }
    }
}
