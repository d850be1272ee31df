//! What holds for any bytes whatsoever: one target for each decoder, each more than "does not panic".
//!
//! ```text
//!   tests/fuzz/corpus/TARGET/*  --+--> tests/tests/corpus.rs   each, and mutations of it, in every test run
//!                                 +--> tests/fuzz              the same functions under libFuzzer, as long as one likes
//! ```
//!
//! A target takes bytes, panics when something does not hold, and says whether it could read them. Whatever the fuzzer
//! finds goes into the corpus under the name of what went wrong, and so stays found. What it only keeps to go on from
//! belongs elsewhere, `mkdir more; cargo fuzz run ... TARGET more tests/fuzz/corpus/TARGET`: the corpora stay small.

mod addresses;
mod files;
mod frames;
pub mod mutation;
pub mod seeds;

pub use addresses::admission;
pub use files::{idx, saved_record, settings};
pub use frames::{client_frame, server_frame};

/// A decoder under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// Panics when something does not hold for these bytes; gives whether they could be read.
    pub check: fn(&[u8]) -> bool,
}

/// All targets.
pub const TARGETS: [Target; 6] = [
    Target { name: "client_frame", check: client_frame },
    Target { name: "server_frame", check: server_frame },
    Target { name: "idx", check: idx },
    Target { name: "saved_record", check: saved_record },
    Target { name: "settings", check: settings },
    Target { name: "admission", check: admission },
];
