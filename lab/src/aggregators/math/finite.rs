//! Rejection of gradients that are not finite.

/// Returns whether every entry is a finite number.
pub fn is_finite(gradient: &[f32]) -> bool {
    gradient.iter().all(|value| value.is_finite())
}

/// Returns `aggregate` of the finite gradients of a round, `[d]`; zeros if there are none.
///
/// `aggregate` receives at least one gradient; all are finite and of one length.
///
/// # Panics
/// Panics if the gradients differ in length, as they belong to different models then.
pub fn aggregate_finite(
    gradients: &[&[f32]],
    aggregate: impl FnOnce(&[&[f32]]) -> Vec<f32>,
) -> Vec<f32> {
    let d = gradients.first().map_or(0, |gradient| gradient.len());
    assert!(
        gradients.iter().all(|gradient| gradient.len() == d),
        "expected gradients of {d} entries each"
    );
    let finite: Vec<&[f32]> = gradients
        .iter()
        .copied()
        .filter(|gradient| is_finite(gradient))
        .collect();
    if finite.is_empty() {
        vec![0.0; d]
    } else {
        aggregate(&finite)
    }
}
