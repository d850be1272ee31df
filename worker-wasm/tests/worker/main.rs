//! The volunteer in a browser's dedicated worker: `cargo xtask test wasm-worker`.
//!
//! Whole sessions with a real server are tested with the page, in tests/tests/browser.

#![cfg(target_family = "wasm")]

mod memory;
mod reports;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
