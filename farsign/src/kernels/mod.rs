//! The gradient kernels: loss, gradient and predictions of a model on a minibatch.
//!
//! [`reference`] is written with ndarray for clarity and stands as the oracle beside every faster kernel.

pub mod reference;
