//! The lab.

pub mod baseline;
pub mod method;
