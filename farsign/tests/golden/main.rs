//! Golden vectors: values that must be the same bits on every target, today and in the next release.
//!
//! The same functions run natively and in a browser's dedicated worker:
//!
//! ```text
//!   cargo test -p farsign --test golden
//!   cargo xtask test wasm
//! ```
//!
//! The values lie in farsign/testdata/ as text. After a change that is meant to change them,
//! `FARSIGN_WRITE_GOLDEN=1 cargo test -p farsign --test golden` writes the files anew; a change of the bytes on the
//! wire or of what a seed draws also needs another protocol version.

mod algorithm;
mod document;
mod golden;
mod training;
mod wire;

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
