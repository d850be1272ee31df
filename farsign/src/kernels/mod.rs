//! Gradient kernels: loss, gradient and predictions of a model on a minibatch.
//!
//! The product uses [`sparse`], which is fast and returns the same bits on every target. `reference` is written
//! with ndarray for clarity and serves as its oracle in tests; the feature `reference` enables it.

#[cfg(feature = "reference")]
pub mod reference;
mod softmax;
pub mod sparse;

/// An evaluation of a model on a dataset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Fraction of images classified correctly, 0 to 1.
    pub accuracy: f32,
    /// Mean cross-entropy in nats, at least 0.
    pub loss: f32,
}
