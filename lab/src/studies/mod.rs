//! Studies: each has one question and its own report.

pub mod convergence;
pub mod tolerance;
