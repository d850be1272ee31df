//! Float functions with the same bits on every target.
//!
//! The standard library's `exp`, `ln` and `cos` come from the platform and differ between targets; these come from
//! one pinned version of `libm`, compiled everywhere from the same source.

/// `e^v`.
pub fn exp(v: f32) -> f32 {
    libm::expf(v)
}

/// Natural logarithm of `v > 0`.
pub fn ln(v: f32) -> f32 {
    libm::logf(v)
}

/// Cosine of `v` radians.
pub fn cos(v: f64) -> f64 {
    libm::cos(v)
}

/// `base^exponent` for `base > 0`.
pub fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}
