//! Float functions that return the same bits on every target.
//!
//! The standard library's `exp`, `ln` and `cos` come from the platform and differ between targets. These come from
//! one pinned version of `libm`, compiled everywhere from the same source.

/// Returns `e^v`.
pub fn exp(v: f32) -> f32 {
    libm::expf(v)
}

/// Returns the natural logarithm of `v`, for `v > 0`.
pub fn ln(v: f32) -> f32 {
    libm::logf(v)
}

/// Returns the cosine of `v` radians.
pub fn cos(v: f64) -> f64 {
    libm::cos(v)
}

/// Returns `base^exponent`, for `base > 0`.
pub fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}

/// Returns the smaller number; `a` if one is not a number.
pub(crate) fn smaller(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

/// Returns the larger number; `a` if one is not a number.
pub(crate) fn larger(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}
