//! Averages of whole gradients, summed in 64 bits so that neither size nor number of gradients matters.

use farsign::vectors::widest;

/// `sum_i g_i / n`, `[d]`. Needs a gradient.
pub fn mean(gradients: &[&[f32]]) -> Vec<f32> {
    weighted_mean(gradients, &vec![1.0; gradients.len()])
}

/// Coordinates that are summed over all gradients before the next: so many sums fit into the nearest cache.
const BLOCK: usize = 1024;

/// `sum_i w_i g_i / sum_i w_i`, `[d]`, for weights `[n]` of a sum above 0.
pub fn weighted_mean(gradients: &[&[f32]], weights: &[f64]) -> Vec<f32> {
    let (d, total) = (gradients[0].len(), weights.iter().sum::<f64>());
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

/// `sum <- sum + weight * gradient`, all `[d]`. In the widest vectors at hand, which give the same bits as none.
pub fn add(sum: &mut [f64], weight: f64, gradient: &[f32]) {
    widest(
        #[inline(always)]
        || {
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
    fn blocks_change_nothing() {
        for d in [1, BLOCK - 1, BLOCK, 2 * BLOCK + 13] {
            let mut stream = Stream::new(d as u64);
            let rows: Vec<Vec<f32>> = (0..5).map(|_| (0..d).map(|_| stream.unit() - 0.5).collect()).collect();
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
