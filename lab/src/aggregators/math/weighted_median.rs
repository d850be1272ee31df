//! The median of weighted values.

/// Returns the value with half of the weight below it, or the mean of two values that split the weight exactly.
///
/// `values`, `[n]`, has at least one entry; `weights`, `[n]`, are above 0. Cost: `O(n)` expected, by selection.
pub fn weighted_median(values: &[f32], weights: &[f64]) -> f64 {
    let mut pairs: Vec<(f32, f64)> = values
        .iter()
        .copied()
        .zip(weights.iter().copied())
        .collect();
    let half = weights.iter().sum::<f64>() / 2.0;
    let mut low = 0;
    let mut high = pairs.len();
    let mut below = 0.0;
    // The result is in low..high. Earlier values are smaller, with a weight of `below`; later values are larger.
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        pairs[low..high].select_nth_unstable_by(middle - low, |a, b| a.0.total_cmp(&b.0));
        let left: f64 = pairs[low..middle].iter().map(|pair| pair.1).sum();
        if below + left >= half {
            high = middle;
        } else {
            (low, below) = (middle, below + left);
        }
    }
    let (lower, weight) = pairs[low];
    let next = pairs[low + 1..]
        .iter()
        .map(|pair| pair.0)
        .min_by(f32::total_cmp);
    match next {
        Some(upper) if below + weight <= half => f64::midpoint(f64::from(lower), f64::from(upper)),
        _ => f64::from(lower),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregators::math::coordinate_wise::median;
    use farsign::random::Stream;

    /// The definition, by sorting and summing up to half of the weight.
    fn by_sorting(values: &[f32], weights: &[f64]) -> f64 {
        let mut pairs: Vec<(f32, f64)> = values
            .iter()
            .copied()
            .zip(weights.iter().copied())
            .collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let half = weights.iter().sum::<f64>() / 2.0;
        let through = |index: &usize| pairs[..=*index].iter().map(|pair| pair.1).sum::<f64>();
        let lower = (0..pairs.len())
            .find(|index| through(index) >= half)
            .unwrap();
        let upper = (0..pairs.len())
            .find(|index| through(index) > half)
            .unwrap();
        f64::midpoint(f64::from(pairs[lower].0), f64::from(pairs[upper].0))
    }

    #[test]
    fn selection_matches_sorting() {
        for seed in 0..2000 {
            let mut stream = Stream::new(seed);
            let n = 1 + stream.below(12) as usize;
            let values: Vec<f32> = (0..n).map(|_| stream.below(9) as f32 - 4.0).collect();
            let weights: Vec<f64> = (0..n).map(|_| 1.0 + stream.below(4) as f64).collect();
            let found = weighted_median(&values, &weights);
            let expected = by_sorting(&values, &weights);
            assert_eq!(
                found, expected,
                "seed {seed}: {values:?} with weights {weights:?}"
            );
        }
    }

    #[test]
    fn equal_weights_give_median() {
        for seed in 0..500 {
            let mut stream = Stream::new(seed);
            let mut values: Vec<f32> = (0..=seed % 9).map(|_| stream.unit()).collect();
            let weighted = weighted_median(&values, &vec![3.0; values.len()]);
            assert_eq!(weighted, median(&mut values), "seed {seed}: {values:?}");
        }
    }
}
