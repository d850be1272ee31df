//! Rules that look at one coordinate at a time.

/// What `join` makes of the entries of each coordinate, `[n]` at a time, in `[d]`. Needs a gradient.
///
/// Entry by entry is quick enough: `n` rows are read side by side, each from its start to its end.
pub fn by_coordinate(gradients: &[&[f32]], join: impl Fn(&mut [f32]) -> f64) -> Vec<f32> {
    let mut column = vec![0.0; gradients.len()];
    let joined = (0..gradients[0].len()).map(|k| {
        for (entry, gradient) in column.iter_mut().zip(gradients) {
            *entry = gradient[k];
        }
        join(&mut column) as f32
    });
    joined.collect()
}

/// The middle one of an odd number of values, the mean of the two in the middle of an even number. Needs a value.
///
/// Cost: `O(n)` expected.
pub fn median(values: &mut [f32]) -> f64 {
    let (middle, even) = (values.len() / 2, values.len().is_multiple_of(2));
    let (lower, &mut upper, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    if !even {
        return f64::from(upper);
    }
    let lower = lower.iter().copied().max_by(f32::total_cmp).unwrap_or(upper);
    f64::midpoint(f64::from(lower), f64::from(upper))
}
