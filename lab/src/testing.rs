//! What unit tests share: the built-in digits and a small scenario.

mod digits;

pub use digits::digits;

use crate::scenario::Scenario;

/// A scenario of a few short runs.
pub fn scenario() -> Scenario {
    Scenario::from_toml(include_str!("../testdata/small.toml")).unwrap()
}
