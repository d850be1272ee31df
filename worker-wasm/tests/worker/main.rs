//! Tests of the volunteer in a browser's dedicated worker: `cargo xtask test wasm-worker`.
//!
//! Sessions with a real server are tested with the page, in tests/browser.

#![cfg(target_family = "wasm")]

mod events;
mod memory;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
