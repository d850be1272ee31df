//! Functions of one coordinate at a time.

/// Returns `f` of the entries of each coordinate, `[n]` at a time, as `[d]`. Needs a gradient.
///
/// Reading entry by entry is fast enough: `n` rows are read in parallel, each sequentially.
pub fn coordinate_wise(gradients: &[&[f32]], f: impl Fn(&mut [f32]) -> f64) -> Vec<f32> {
    let mut column = vec![0.0; gradients.len()];
    let values = (0..gradients[0].len()).map(|k| {
        for (entry, gradient) in column.iter_mut().zip(gradients) {
            *entry = gradient[k];
        }
        f(&mut column) as f32
    });
    values.collect()
}

/// Returns the middle of an odd number of values, or the mean of the middle two of an even number. Needs a value.
///
/// Cost: `O(n)` expected.
pub fn median(values: &mut [f32]) -> f64 {
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (lower, &mut upper, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    if !even {
        return f64::from(upper);
    }
    let lower = lower
        .iter()
        .copied()
        .max_by(f32::total_cmp)
        .unwrap_or(upper);
    f64::midpoint(f64::from(lower), f64::from(upper))
}
