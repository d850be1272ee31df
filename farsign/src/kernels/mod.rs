//! The gradient kernels: loss, gradient and predictions of a model on a minibatch.
//!
//! [`sparse`] is the one the product runs: fast, and the same bits on every target. [`reference`] is written with
//! ndarray for clarity and stands as the oracle beside it.

pub mod reference;
pub mod sparse;

/// How well a model does on images it was not trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Share of images classified right, 0 to 1.
    pub accuracy: f32,
    /// Mean cross-entropy in nats.
    pub loss: f32,
}
