//! The decay of a norm: running mean and minimum, and the exponent of the power law through them.

/// Points of a curve that a line is fitted to, evenly spaced on the logarithmic axis.
const FITTED_POINTS: usize = 60;

/// Returns the mean of each value and all before it.
pub fn running_mean(values: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let mean = |(n, value): (usize, &f64)| {
        sum += value;
        sum / (n + 1) as f64
    };
    values.iter().enumerate().map(mean).collect()
}

/// Returns the minimum of each value and all before it.
pub fn running_min(values: &[f64]) -> Vec<f64> {
    let mut min = f64::INFINITY;
    let update = |&value: &f64| {
        min = if value < min { value } else { min };
        min
    };
    values.iter().map(update).collect()
}

/// Returns the mean of the later half of the values up to each one. Unlike the running mean, it forgets the start.
pub fn recent_mean(values: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    sums.extend(values.iter().scan(0.0, |sum, value| {
        *sum += value;
        Some(*sum)
    }));
    (1..=values.len())
        .map(|n| (sums[n] - sums[n / 2]) / (n - n / 2) as f64)
        .collect()
}

/// Returns distinct indices of `burn_in..length`, evenly spaced on the logarithmic axis.
pub fn log_spaced(burn_in: usize, length: usize, count: usize) -> Vec<usize> {
    let from = burn_in.max(1) as f64;
    let to = length as f64;
    let position = |n: usize| from * libm::pow(to / from, n as f64 / (count - 1) as f64);
    let mut indices: Vec<usize> = (0..count).map(|n| position(n).round() as usize).collect();
    indices
        .iter_mut()
        .for_each(|index| *index = (*index).clamp(1, length) - 1);
    indices.dedup();
    indices
}

/// Returns the exponent of the power law through a curve beyond the burn-in, by least squares on logarithmic axes.
pub fn slope(curve: &[f64], burn_in: usize) -> f64 {
    let points: Vec<(f64, f64)> = log_spaced(burn_in, curve.len(), FITTED_POINTS)
        .into_iter()
        .map(|index| (libm::log((index + 1) as f64), libm::log(curve[index])))
        .collect();
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    let variance: f64 = points
        .iter()
        .map(|(x, _)| (x - mean_x) * (x - mean_x))
        .sum();
    covariance / variance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slope_finds_exponent() {
        for exponent in [-0.25, -1.0 / 6.0, 0.0, 0.5] {
            let curve: Vec<f64> = (1..=20_000)
                .map(|n| 3.0 * libm::pow(f64::from(n), exponent))
                .collect();
            for burn_in in [1, 1000] {
                let found = slope(&curve, burn_in);
                assert!(
                    (found - exponent).abs() < 1e-3,
                    "{found} for {exponent} after {burn_in}"
                );
            }
        }
    }

    #[test]
    fn slope_excludes_burn_in() {
        let curve: Vec<f64> = (1..=20_000)
            .map(|n| if n < 1000 { 9.0 } else { 1.0 / f64::from(n) })
            .collect();
        assert!((slope(&curve, 1000) + 1.0).abs() < 1e-3);
        assert!((slope(&curve, 1) + 1.0).abs() > 0.1);
    }

    #[test]
    fn running_statistics() {
        let values = [4.0, 2.0, 6.0, 0.0];
        assert_eq!(running_mean(&values), [4.0, 3.0, 4.0, 3.0]);
        assert_eq!(running_min(&values), [4.0, 2.0, 2.0, 0.0]);
        assert_eq!(recent_mean(&values), [4.0, 2.0, 4.0, 3.0]);
    }
}
