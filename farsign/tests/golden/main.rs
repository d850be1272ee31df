//! Golden vectors: values that must be equal to the bit on every target and in every release.
//!
//! The same functions run natively and in a browser's dedicated worker:
//!
//! ```text
//!   cargo test -p farsign --test golden
//!   cargo xtask test wasm
//! ```
//!
//! The values are in farsign/testdata/ as text. After a change that is intended to change them, `FARSIGN_WRITE_GOLDEN=1
//! cargo test -p farsign --test golden` rewrites the files, and the examples of the documents. A change of the bytes on
//! the wire, or of the values drawn by a seed, also requires a new protocol version.

mod algorithm;
mod delta_coding;
mod document;
mod examples;
mod training;
mod values;
mod wire;

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
