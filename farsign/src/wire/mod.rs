//! The wire format, version 2. docs/protocol.md specifies it in full. No other module handles bytes of frames.
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
//!   0x01 hello    agent, shards, flags, secret, 0x81 welcome    volunteer id, run settings
//!                 token                         0x82 task       id, version, seeds, images, shards, flags
//!   0x02 update   task id 8, sign bits          0x83 version    number, d, grid, base, differences
//!   0x03 version  task id 8                     0x84 accepted   task id 8, accepted updates 8
//!        request                                0x85 rejected   task id 8, reason 1
//!   0x04 rest     milliseconds 4                0x86 goodbye    reason 1, retry after 4
//!   0x05 shards   held shards 2
//!   0x06 line     bytes a second 4
//!        rate
//! ```
//!
//! The length of a record precedes its body, so that a volunteer can skip unknown kinds. The server knows every kind
//! that a volunteer may send and rejects others. An update costs 14 bytes besides its sign bits. Acknowledgement, next
//! task and version share one frame, because a write costs more than any computation of the server. Received floats must
//! be finite, lengths exact, and enumeration codes known.
//!
//! A version travels as differences to one that the recipient holds, or to zeros. A task names its version by hash. A
//! volunteer without it requests the whole, which costs no trust: a cache or a relay may have delivered other bytes.

mod hello;
mod read;
mod reader;
mod settings;
mod token;
mod write;

pub use hello::Hello;
pub use read::{
    ClientRecord, ServerRecord, VersionBody, Welcome, read_client_frame, read_server_frame,
};
pub use token::{JoinTokenError, check_join_token};
pub use write::{ClientFrame, EncodedVersion, ServerFrame};

/// The supported protocol version, first byte of every frame.
pub const VERSION: u8 = 2;

/// Name of the WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "farsign.v2";

/// Largest size of the agent name in a hello, in bytes.
pub const MAX_AGENT_BYTES: usize = 64;

/// Largest size of the join token in a hello, in bytes.
pub const MAX_TOKEN_BYTES: usize = 64;

const RECORD_HEADER_BYTES: usize = 5;

/// Returns the size of the largest valid frame from a volunteer, in bytes, for `directions` signs per update.
pub fn max_client_frame_bytes(directions: usize) -> usize {
    let hello = 1 + RECORD_HEADER_BYTES + hello::MAX_BYTES;
    let update = 1 + RECORD_HEADER_BYTES + 8 + directions.div_ceil(8);
    hello.max(update)
}

/// Record kinds.
mod kind {
    pub const HELLO: u8 = 0x01;
    pub const UPDATE: u8 = 0x02;
    pub const VERSION_REQUEST: u8 = 0x03;
    pub const REST: u8 = 0x04;
    pub const SHARDS: u8 = 0x05;
    pub const LINE_RATE: u8 = 0x06;
    pub const WELCOME: u8 = 0x81;
    pub const TASK: u8 = 0x82;
    pub const VERSION: u8 = 0x83;
    pub const ACCEPTED: u8 = 0x84;
    pub const REJECTED: u8 = 0x85;
    pub const GOODBYE: u8 = 0x86;
}

/// An error in a frame. Offsets count from the start of the frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum WireError {
    /// A first byte other than [`VERSION`].
    #[error("expected protocol version {VERSION}, found {found}")]
    Version { found: u8 },
    /// A frame that ends early.
    #[error("expected {expected} bytes at offset {offset}, found {found}")]
    Truncated {
        offset: usize,
        expected: usize,
        found: usize,
    },
    /// Bytes after the last record, or after the body of one.
    #[error("expected the end at offset {offset}, found {found} more bytes")]
    Trailing { offset: usize, found: usize },
    /// A record kind that the sender may not use.
    #[error("expected a known record kind at offset {offset}, found {found:#04x}")]
    Kind { offset: usize, found: u8 },
    /// An unknown code.
    #[error("expected a known {what}, found {found}")]
    Code { what: &'static str, found: u64 },
    /// NaN or infinity.
    #[error("expected a finite number for {what}, found {found}")]
    NonFinite { what: &'static str, found: String },
    /// A number outside its range.
    #[error("expected {what} {expected}, found {found}")]
    Range {
        what: &'static str,
        expected: &'static str,
        found: String,
    },
    /// Inconsistent run settings.
    #[error("invalid run settings: {0}")]
    Settings(String),
    /// An agent name that is empty, too long or not UTF-8.
    #[error("expected an agent name of 1 to {MAX_AGENT_BYTES} bytes of UTF-8")]
    Agent,
    /// A join token that is empty, too long or not UTF-8.
    #[error("expected a join token of 1 to {MAX_TOKEN_BYTES} bytes of UTF-8")]
    Token,
    /// A frame without a record.
    #[error("expected at least one record, found 0")]
    Empty,
}
