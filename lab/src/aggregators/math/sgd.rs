//! The gradient step.

/// Sets `x <- x - step * direction`, both `[d]`.
pub fn descend(x: &mut [f32], step: f64, direction: &[f32]) {
    for (x, entry) in x.iter_mut().zip(direction) {
        *x = (f64::from(*x) - step * f64::from(*entry)) as f32;
    }
}
