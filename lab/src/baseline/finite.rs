//! Refuses gradients that hold anything that is not a finite number.

/// Whether every entry is a number, and a finite one.
pub fn is_finite(gradient: &[f32]) -> bool {
    gradient.iter().all(|value| value.is_finite())
}

/// What `join` makes of the finite gradients of a round, `[d]`; zeros where there are none.
///
/// `join` gets at least one gradient, all of them finite and of one length.
///
/// # Panics
/// When the gradients are not of one length: they are then not of one model.
pub fn join_finite(gradients: &[&[f32]], join: impl FnOnce(&[&[f32]]) -> Vec<f32>) -> Vec<f32> {
    let d = gradients.first().map_or(0, |gradient| gradient.len());
    assert!(gradients.iter().all(|gradient| gradient.len() == d), "expected gradients of {d} entries each");
    let finite: Vec<&[f32]> = gradients.iter().copied().filter(|gradient| is_finite(gradient)).collect();
    if finite.is_empty() { vec![0.0; d] } else { join(&finite) }
}
