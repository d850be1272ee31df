//! Training data: the built-in digits, IDX folders, and the download of MNIST.

mod loader;
mod mirror;
mod mnist_download;
