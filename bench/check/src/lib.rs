//! A few ratios to named peers, each with a bound that a slow change exceeds: `cargo xtask bench --check`.
//!
//! The program of this package measures calls of the algorithm, compiled as in a release. The server's ratio is measured
//! by `farsign-bench --check`, with the bounds and the report of this package.

pub mod bounds;
pub mod calls;
pub mod pair;
pub mod verdict;
