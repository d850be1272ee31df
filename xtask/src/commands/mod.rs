//! Commands beside `test` and `lint`.

pub mod bench;
pub mod cluster;
pub mod mnist_subset;
pub mod results;
pub mod screenshots;
pub mod serve;
