//! Commands beside `test` and `lint`.

pub mod bench;
pub mod mnist_subset;
pub mod results;
pub mod screenshots;
pub mod serve;
