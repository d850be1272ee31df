//! Delta coding: the differences of two versions of the model as bytes. docs/delta-coding.md specifies the format.
//!
//! Parameters are integers, and two versions differ by small ones. The coder spends close to the first-order entropy of
//! each range of parameters on them.
//!
//! ```text
//!   differences  ->  blocks of 256  ->  table 0 if all are 0, else the table for values of their size
//!   a block      ->  high parts, v >> shift of the table, in pairs  ->  eight interleaved rANS states
//!                ->  pairs without a frequency, and low bits        ->  plain bytes
//! ```
//!
//! Encoding uses integers only, so the bytes are a function of the differences on every target.
//!
//! # Examples
//!
//! ```
//! use farsign::delta_coding::{decode, encode};
//!
//! let differences = [0, 1, -1, 0, 0, 300, i32::MIN];
//! let mut bytes = Vec::new();
//! encode(&differences, &mut bytes);
//! let mut decoded = [0; 7];
//! decode(&bytes, &mut decoded)?;
//! assert_eq!(decoded, differences);
//! assert!(decode(&bytes[1..], &mut decoded).is_err());
//! # Ok::<(), farsign::delta_coding::DeltaError>(())
//! ```

mod block;
mod bytes;
mod decode;
mod encode;
mod error;
mod partition;
mod rans;
mod table;

pub use decode::decode;
pub use encode::encode;
pub use error::DeltaError;

/// Values of a block.
const BLOCK: usize = 256;

/// Pairs of a block.
const PAIRS: usize = BLOCK / 2;

/// Largest absolute value that a pair holds; larger ones escape.
const RADIUS: i32 = 7;

/// Number of values that a pair can hold in each place.
const VALUES: usize = 2 * RADIUS as usize + 1;

/// The pair that stands for every pair without a frequency.
const ESCAPE: u8 = 0xff;

/// Tables of frequencies of coded differences
const MAX_TABLES: usize = 15;

/// Largest shift of coded differences, with which every pair is of values of 32 bits
const MAX_SHIFT: u32 = 28;
