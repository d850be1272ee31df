//! Training data: loading it, and downloading MNIST.

pub mod content;
pub mod loader;
pub mod mnist_download;
