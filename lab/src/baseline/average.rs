//! Averages of whole gradients, summed in 64 bits so that neither size nor number of gradients matters.

/// `sum_i g_i / n`, `[d]`. Needs a gradient.
pub fn mean(gradients: &[&[f32]]) -> Vec<f32> {
    weighted_mean(gradients, &vec![1.0; gradients.len()])
}

/// `sum_i w_i g_i / sum_i w_i`, `[d]`, for weights `[n]` of a sum above 0.
pub fn weighted_mean(gradients: &[&[f32]], weights: &[f64]) -> Vec<f32> {
    let mut sum = vec![0.0; gradients[0].len()];
    for (gradient, weight) in gradients.iter().zip(weights) {
        add(&mut sum, *weight, gradient);
    }
    let total: f64 = weights.iter().sum();
    sum.iter().map(|value| (value / total) as f32).collect()
}

/// `sum <- sum + weight * gradient`, all `[d]`.
pub fn add(sum: &mut [f64], weight: f64, gradient: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(gradient) {
        *sum += weight * f64::from(*value);
    }
}
