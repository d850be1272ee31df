//! How fast a gradient norm falls: running mean and minimum, and the exponent of the power law through them.

/// Points of a curve that a line is fitted to, evenly spaced on the logarithmic axis.
const FITTED: usize = 60;

/// Mean of each value and all before it.
pub fn running_mean(values: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let mean = |(n, value): (usize, &f64)| {
        sum += value;
        sum / (n + 1) as f64
    };
    values.iter().enumerate().map(mean).collect()
}

/// Least of each value and all before it.
pub fn running_min(values: &[f64]) -> Vec<f64> {
    let mut least = f64::INFINITY;
    let min = |&value: &f64| {
        least = if value < least { value } else { least };
        least
    };
    values.iter().map(min).collect()
}

/// Mean of the later half of the values up to each one: what the norm is by then, where the running mean still remembers
/// the start.
pub fn recent_mean(values: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    sums.extend(values.iter().scan(0.0, |sum, value| {
        *sum += value;
        Some(*sum)
    }));
    (1..=values.len()).map(|n| (sums[n] - sums[n / 2]) / (n - n / 2) as f64).collect()
}

/// Places `burn_in..length`, evenly spaced on the logarithmic axis, each once.
pub fn places(burn_in: usize, length: usize, count: usize) -> Vec<usize> {
    let (from, to) = (burn_in.max(1) as f64, length as f64);
    let place = |n: usize| from * libm::pow(to / from, n as f64 / (count - 1) as f64);
    let mut places: Vec<usize> = (0..count).map(|n| place(n).round() as usize).collect();
    places.iter_mut().for_each(|place| *place = (*place).clamp(1, length) - 1);
    places.dedup();
    places
}

/// Exponent of the power law that fits a curve beyond the burn-in, by least squares on logarithms of both.
pub fn slope(curve: &[f64], burn_in: usize) -> f64 {
    let points: Vec<(f64, f64)> = places(burn_in, curve.len(), FITTED)
        .into_iter()
        .map(|place| (libm::log((place + 1) as f64), libm::log(curve[place])))
        .collect();
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let both: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let square: f64 = points.iter().map(|(x, _)| (x - mean_x) * (x - mean_x)).sum();
    both / square
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_of_a_power_law_is_found() {
        for exponent in [-0.25, -1.0 / 6.0, 0.0, 0.5] {
            let curve: Vec<f64> = (1..=20_000).map(|n| 3.0 * libm::pow(f64::from(n), exponent)).collect();
            for burn_in in [1, 1000] {
                let found = slope(&curve, burn_in);
                assert!((found - exponent).abs() < 1e-3, "{found} for {exponent} after {burn_in}");
            }
        }
    }

    #[test]
    fn what_comes_before_the_burn_in_does_not_count() {
        let curve: Vec<f64> = (1..=20_000).map(|n| if n < 1000 { 9.0 } else { 1.0 / f64::from(n) }).collect();
        assert!((slope(&curve, 1000) + 1.0).abs() < 1e-3);
        assert!((slope(&curve, 1) + 1.0).abs() > 0.1);
    }

    #[test]
    fn running_figures_are_those_of_all_so_far() {
        let values = [4.0, 2.0, 6.0, 0.0];
        assert_eq!(running_mean(&values), [4.0, 3.0, 4.0, 3.0]);
        assert_eq!(running_min(&values), [4.0, 2.0, 2.0, 0.0]);
        assert_eq!(recent_mean(&values), [4.0, 2.0, 4.0, 3.0]);
    }
}
