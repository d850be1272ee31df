//! Errors of decoding.

/// An error in coded differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum DeltaError {
    /// Fewer bytes than announced or needed.
    #[error("expected {expected} more bytes of differences, found {found}")]
    Truncated { expected: usize, found: usize },
    /// Bytes after the last difference.
    #[error("expected the end of the differences, found {found} more bytes")]
    Trailing { found: usize },
    /// Too many tables.
    #[error("expected at most 15 tables of frequencies, found {found}")]
    TableCount { found: u8 },
    /// A shift above the limit.
    #[error("expected a shift of at most 28, found {found}")]
    Shift { found: u32 },
    /// Frequencies that code no pair, or that leave no frequency to the escape.
    #[error("expected frequencies of 1 to 4095 in all that code a pair, found {found} in all")]
    Frequencies { found: u32 },
    /// A number with more bytes than it needs, or that does not fit in 32 bits.
    #[error("expected a number of at most 32 bits in its shortest form")]
    Number,
    /// A block with a table that the frame does not have.
    #[error("expected one of {tables} tables, found number {found}")]
    Table { tables: usize, found: u8 },
    /// An escaped pair that the table codes.
    #[error("expected an escaped pair that its table does not code, found {found:?}")]
    Escape { found: [i32; 2] },
    /// A nonzero value after the last difference.
    #[error("expected values after the last difference to be 0, found {found}")]
    Padding { found: i32 },
    /// A nonzero spare bit.
    #[error("expected spare bits to be 0, found byte {found:#04x}")]
    Spare { found: u8 },
    /// A difference outside of 32 bits.
    #[error("expected a difference of 32 bits, found {found} shifted by {shift}")]
    Overflow { found: i32, shift: u32 },
    /// A state that no encoder begins or ends with, which also shows most damage.
    #[error("expected a state of the coder {expected}, found {found:#010x}")]
    State { expected: &'static str, found: u32 },
}
