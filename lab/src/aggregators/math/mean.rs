//! Means of whole gradients, summed in 64 bits for any size and number of gradients.

use farsign::simd::dispatch;

/// Returns `sum_i g_i / n`, `[d]`. Needs a gradient.
pub fn mean(gradients: &[&[f32]]) -> Vec<f32> {
    weighted_mean(gradients, &vec![1.0; gradients.len()])
}

/// Coordinates per block: the sums of a block fit into the nearest cache.
const BLOCK: usize = 1024;

/// Returns `sum_i w_i g_i / sum_i w_i`, `[d]`, for weights `[n]` with a sum above 0.
pub fn weighted_mean(gradients: &[&[f32]], weights: &[f64]) -> Vec<f32> {
    let d = gradients[0].len();
    let total: f64 = weights.iter().sum();
    let mut mean = Vec::with_capacity(d);
    for start in (0..d).step_by(BLOCK) {
        let block = start..d.min(start + BLOCK);
        let mut sum = [0.0; BLOCK];
        let sum = &mut sum[..block.len()];
        for (gradient, weight) in gradients.iter().zip(weights) {
            add(sum, *weight, &gradient[block.clone()]);
        }
        mean.extend(sum.iter().map(|value| (value / total) as f32));
    }
    mean
}

/// Sets `sum <- sum + weight * gradient`, both `[d]`, with the widest vectors of the machine; the bits do not depend on
/// their width.
pub fn add(sum: &mut [f64], weight: f64, gradient: &[f32]) {
    dispatch(
        #[inline(always)]
        move || {
            for (sum, value) in sum.iter_mut().zip(gradient) {
                *sum += weight * f64::from(*value);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::random::Stream;

    #[test]
    fn weighted_mean_matches_definition() {
        for d in [1, BLOCK - 1, BLOCK, 2 * BLOCK + 13] {
            let mut stream = Stream::new(d as u64);
            let rows: Vec<Vec<f32>> = (0..5)
                .map(|_| (0..d).map(|_| stream.unit() - 0.5).collect())
                .collect();
            let gradients: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
            let weights = [1.0, 0.0, 0.3, 2.5, 1e-3];
            let total: f64 = weights.iter().sum();
            let mean = weighted_mean(&gradients, &weights);
            for k in 0..d {
                let mut sum = 0.0;
                for (row, weight) in rows.iter().zip(weights) {
                    sum += weight * f64::from(row[k]);
                }
                assert_eq!(mean[k], (sum / total) as f32, "seed {d}, coordinate {k}");
            }
        }
    }
}
