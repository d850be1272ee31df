//! Tests of the published aggregation rules.

mod asynchronous;
mod synchronous;
mod vectors;
