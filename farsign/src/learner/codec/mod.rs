//! Bytes of records and of the learner's state, version 2.
//!
//! ```text
//!   record    version 1 | kind 1 | ...                   all integers and floats little-endian
//!     1 join      ... identity | gateway 8
//!     2 update    ... task | 0 or 1 | if 1: signs
//!     3 leave     ... volunteer 8
//!     4 eject     ... volunteer 8 | reason 1
//!     5 verdict   ... last task 8 | 1 passed, 2 failed or 3 skipped | if failed: task 8
//!     6 probability of verification   ... 8
//!     7 gateway lost   ... gateway 8
//!   identity  0, or 1 | identity 16
//!   task      id 8 | version 32 | seeds of minibatch, directions and coins 8 each | images 4 | shards 2 | reset 1
//!   signs     count 4 | packed bits, ceil(count / 8)
//!
//!   state     version 1 | position 8 | position of the last move 8 | 0, or 1 | probability 8 | mean of trust 4 | optimizer | volunteers | departed | trust records
//!   optimizer accepted 8 | weight 8 | fraction bits 1 | x | votes | senders
//!   x         count 4 | count integers of 4;         votes   count 4 | count floats of 4
//!   senders   count 4 | count times: volunteer 8 | last 8 | sent 1
//!   volunteers, departed     count 4 | count times:
//!             volunteer 8 | identity | gateway 8 | verifications passed 4 | accepted 8 | closed 8 | chain | running
//!             | unverified
//!   chain     reset 8 | last 8 | continues, recording and sampled 1 each | updates         numbers are 0 where there is none
//!   running   0, or 1 | reset 8 | continues 1 | updates
//!   updates   count 4 | count times: position 8 | task | whether it has signs 1
//!   unverified   count 4 | count times: position 8 | task 8 | seed of directions 8 | scale 4
//!   trust records   count 4 | count times: identity 16 | verifications passed 4 | accepted 8         the oldest first
//! ```
//!
//! A state has no signs of updates: they are in the records at their positions, from which they are read again. Memory is
//! allocated only for bytes that are present, so a damaged length cannot exhaust it.

mod decoder;
mod record;
mod state;

pub use record::{read_record, write_record};
pub use state::{ReadStateError, read_state, write_state};

/// The version of the fold: of the bytes here, and of what a record does to a state. A learner of another version computes
/// other bits.
pub const FOLD_VERSION: u8 = 2;

/// An invalid record or state. `expected` and `found` count bytes, or describe the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum RecordError {
    /// It ends early.
    #[error("expected {expected} bytes at offset {offset} of a record, found {found}")]
    Truncated {
        offset: usize,
        expected: usize,
        found: usize,
    },
    /// It has extra bytes.
    #[error("expected the end of a record at offset {offset}, found {found} more bytes")]
    Trailing { offset: usize, found: usize },
    /// Another version of the program wrote it.
    #[error("expected a record of version {FOLD_VERSION}, found version {found}")]
    Version { found: u8 },
    /// A value is out of its range.
    #[error("expected {expected} in a record, found {found}")]
    Value {
        expected: &'static str,
        found: String,
    },
}

#[cfg(all(test, not(target_family = "wasm")))] // proptest does not run in a browser
mod tests;
