//! Weighted CTMA, the centered trimmed meta-aggregator: the mean of the gradients close to a center.

use crate::aggregators::math::distance::squared_distance;
use crate::aggregators::math::mean::weighted_mean;

/// Returns the mean of the fraction `1 - lambda` of the weight that is closest to `center`.
///
/// ```text
///   order i by |g_i - c|;   s'_i = the part of s_i that fits into (1 - lambda) sum_j s_j after earlier i
///   CTMA = sum_i s'_i g_i / sum_i s'_i
/// ```
///
/// `gradients` are `[n][d]`, at least one of them and all finite; `weights`, `[n]`, have a sum above 0; `center` is `[d]`;
/// `trimmed` is `lambda`, in `[0, 1)`. Of two gradients at equal distance, the earlier is preferred.
///
/// Source: Dahan, Levy, "Fault tolerant ML: efficient meta-aggregation and synchronous training" (ICML 2024, arXiv
/// 2405.14759), with the weights of arXiv 2501.09621. Cost: `O(nd + n log n)`.
pub fn centered_trimmed_mean(
    gradients: &[&[f32]],
    weights: &[f64],
    center: &[f32],
    trimmed: f64,
) -> Vec<f32> {
    let distances: Vec<f64> = gradients
        .iter()
        .map(|gradient| squared_distance(gradient, center))
        .collect();
    mean_of_closest(gradients, weights, &distances, trimmed)
}

/// Like [`centered_trimmed_mean`], with the squared distances to the center, `[n]`, instead of the center.
pub fn mean_of_closest(
    gradients: &[&[f32]],
    weights: &[f64],
    distances: &[f64],
    trimmed: f64,
) -> Vec<f32> {
    let mut order: Vec<usize> = (0..gradients.len()).collect();
    order.sort_by(|a, b| distances[*a].total_cmp(&distances[*b]));
    let mut left = (1.0 - trimmed) * weights.iter().sum::<f64>();
    let mut kept = vec![0.0; gradients.len()];
    for i in order {
        kept[i] = weights[i].min(left);
        left -= kept[i];
    }
    weighted_mean(gradients, &kept)
}
