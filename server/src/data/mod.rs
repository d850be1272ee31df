//! Training data: loading it, and downloading MNIST.

mod class_notes;
pub mod content;
mod fetch_error;
mod file_search;
mod folder_listing;
mod gzip;
pub mod load_step;
pub mod loader;
pub mod mnist_download;
pub mod shard_files;
pub mod source_error;
mod unpacked_format;
