//! The wire format, version 1. The only module that knows bytes; docs/protocol.md tells the same story in full.
//!
//! ```text
//!   frame     one binary WebSocket message, either way
//!             +-----------+----------+----------+-- ...
//!             | version 1 | record   | record   |
//!             +-----------+----------+----------+-- ...
//!
//!   record    +--------+------------+----------------+
//!             | kind 1 | length 4   | body `length`  |     all integers and floats little-endian
//!             +--------+------------+----------------+
//!
//!   volunteer -> server                         server -> volunteer
//!   0x01 hello    agent, abilities, secret      0x81 welcome    volunteer id, run settings
//!   0x02 answer   task id 8, sign bits          0x82 task       id, version, three seeds, flags
//!                                               0x83 snapshot   version, encoding, parameters
//!                                               0x84 accepted   task id 8, accepted messages 8
//!                                               0x85 rejected   task id 8, reason 1
//!                                               0x86 goodbye    reason 1, retry after 4
//!                                               0x87 delta      base 8, version 8, steps
//! ```
//!
//! A record's length stands before its body so that a volunteer can pass over kinds it does not know; the server
//! knows every kind a volunteer may send and refuses others. An answer costs 14 bytes besides its sign bits.
//! Acknowledgement, next task and snapshot travel in one frame because a write costs more than anything the
//! server computes. A volunteer that can is sent the steps since its version instead of a snapshot where they are
//! fewer bytes. Every float that comes in must be finite, every length exact, every enumeration known.
//!
//! A volunteer that asks for half precision is sent nothing but whole snapshots, their parameters rounded to binary16,
//! or in f32 where one would become infinite. It is never sent steps: from rounded parameters they would lead to others
//! than those of the version they are for, and to different ones for each volunteer. So the parameters that a version
//! means to a volunteer depend on the version and on what its hello asked for, and on nothing else.

mod hello;
mod read;
mod settings;
mod write;

pub use hello::Hello;
pub use read::{
    ClientRecord, DeltaBody, ServerRecord, SnapshotBody, Welcome, read_client_frame, read_server_frame,
};
pub use write::{ClientFrame, EncodedSnapshot, EncodedSteps, ServerFrame};

/// The protocol version this crate speaks, first byte of every frame.
pub const VERSION: u8 = 1;

/// WebSocket subprotocol name.
pub const SUBPROTOCOL: &str = "farsign.v1";

/// Longest agent name in a hello, in bytes.
pub const MAX_AGENT_BYTES: usize = 64;

/// Longest join token in a hello, in bytes.
pub const MAX_TOKEN_BYTES: usize = 64;

const RECORD_HEADER_BYTES: usize = 5;

/// Largest frame a volunteer of a run with `directions` signs an answer has reason to send.
pub fn max_client_frame_bytes(directions: usize) -> usize {
    let hello = 1 + RECORD_HEADER_BYTES + hello::MOST_BYTES;
    let answer = 1 + RECORD_HEADER_BYTES + 8 + directions.div_ceil(8);
    hello.max(answer)
}

/// Record kinds.
mod kind {
    pub const HELLO: u8 = 0x01;
    pub const ANSWER: u8 = 0x02;
    pub const WELCOME: u8 = 0x81;
    pub const TASK: u8 = 0x82;
    pub const SNAPSHOT: u8 = 0x83;
    pub const ACCEPTED: u8 = 0x84;
    pub const REJECTED: u8 = 0x85;
    pub const GOODBYE: u8 = 0x86;
    pub const DELTA: u8 = 0x87;
}

/// What a volunteer says in its hello that it takes besides snapshots in f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// It can take steps instead of a snapshot.
    pub deltas: bool,
    /// It asks for snapshots in half precision, and so for no steps, whatever `deltas` says.
    pub half_snapshots: bool,
}

/// Encodings of a snapshot's parameters.
mod encoding {
    /// IEEE 754 binary32.
    pub const F32: u8 = 0;
    /// IEEE 754 binary16.
    pub const F16: u8 = 1;
}

/// Why a frame cannot be read. Offsets count from the start of the frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The first byte is not [`VERSION`].
    #[error("expected protocol version {VERSION}, found {found}")]
    Version {
        /// The first byte.
        found: u8,
    },
    /// The frame ends too early.
    #[error("expected {expected} bytes at offset {offset}, found {found}")]
    Truncated {
        /// Where.
        offset: usize,
        /// Bytes needed there.
        expected: usize,
        /// Bytes left.
        found: usize,
    },
    /// Bytes are left over.
    #[error("expected the end at offset {offset}, found {found} more bytes")]
    Trailing {
        /// Where.
        offset: usize,
        /// Bytes left.
        found: usize,
    },
    /// A record kind that may not come this way.
    #[error("expected a known record kind at offset {offset}, found {found:#04x}")]
    Kind {
        /// Where.
        offset: usize,
        /// The kind.
        found: u8,
    },
    /// A code without a meaning.
    #[error("expected a known {what}, found {found}")]
    Code {
        /// What the code stands for.
        what: &'static str,
        /// The code.
        found: u64,
    },
    /// NaN or infinity.
    #[error("expected a finite number for {what}, found {found}")]
    NonFinite {
        /// What the number stands for.
        what: &'static str,
        /// NaN or an infinity, as text.
        found: String,
    },
    /// A number outside its range.
    #[error("expected {what} {expected}, found {found}")]
    Range {
        /// What the number stands for.
        what: &'static str,
        /// The range.
        expected: &'static str,
        /// The number, as text.
        found: String,
    },
    /// Settings that describe no possible run.
    #[error("impossible run settings: {0}")]
    Settings(String),
    /// A text that is not UTF-8, or too long.
    #[error("expected an agent name of 1 to {MAX_AGENT_BYTES} bytes of UTF-8")]
    Agent,
    /// A join token that is not UTF-8, empty or too long.
    #[error("expected a join token of 1 to {MAX_TOKEN_BYTES} bytes of UTF-8")]
    Token,
    /// A frame without a record.
    #[error("expected at least one record, found none")]
    Empty,
}
