//! The public API of the crate: datasets, the volunteer state machine and the wire format.
//!
//! The tests of the API run natively only; the golden vectors also run in a browser.

#![cfg(not(target_family = "wasm"))]

mod dataset;
mod delta_coding;
mod task_sizing;
mod volunteer;
mod wire;
