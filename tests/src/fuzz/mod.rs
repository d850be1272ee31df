//! Fuzz targets: one per decoder, with the properties that hold for any input.
//!
//! ```text
//!   tests/fuzz/corpus/TARGET/*  --+--> tests/server/corpus.rs   each input and mutations of it, in every test run
//!                                 +--> tests/fuzz               the same functions under libFuzzer, for any time
//! ```
//!
//! A target receives bytes, panics if a property is violated, and returns whether the bytes are valid. Add each input that
//! the fuzzer finds to the corpus, under the name of its defect. Keep the fuzzer's working corpus in another folder, so
//! that the committed corpora stay small: `mkdir more; cargo fuzz run ... TARGET more tests/fuzz/corpus/TARGET`.

mod addresses;
mod differences;
mod files;
mod frames;
pub mod mutation;
pub mod seeds;

pub use addresses::admission;
pub use differences::delta_coding;
pub use files::{idx, saved_record, settings};
pub use frames::{client_frame, server_frame};

/// A decoder under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name of the target and of its corpus folder.
    pub name: &'static str,
    /// Returns whether the bytes are valid. Panics if a property is violated.
    pub check: fn(&[u8]) -> bool,
}

/// All targets.
pub const TARGETS: [Target; 7] = [
    Target {
        name: "client_frame",
        check: client_frame,
    },
    Target {
        name: "server_frame",
        check: server_frame,
    },
    Target {
        name: "delta_coding",
        check: delta_coding,
    },
    Target {
        name: "idx",
        check: idx,
    },
    Target {
        name: "saved_record",
        check: saved_record,
    },
    Target {
        name: "settings",
        check: settings,
    },
    Target {
        name: "admission",
        check: admission,
    },
];
