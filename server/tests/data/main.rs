//! Training data: the built-in digits, IDX folders, and the download of MNIST.

mod file_names;
mod forms;
mod loader;
mod mirror;
mod mnist_download;
