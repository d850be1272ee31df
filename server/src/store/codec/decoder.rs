//! A decoder of saved values.

use super::SavedValueError;
use crate::store::saved_values::LogPosition;

/// A decoder of the rest of a value.
pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Decoder<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], SavedValueError> {
        let (taken, rest) =
            self.bytes
                .split_at_checked(count)
                .ok_or(SavedValueError::Truncated {
                    offset: self.offset,
                    expected: count,
                    found: self.bytes.len(),
                })?;
        self.offset += count;
        self.bytes = rest;
        Ok(taken)
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    pub fn end(self) -> Result<(), SavedValueError> {
        match self.bytes.len() {
            0 => Ok(()),
            found => Err(SavedValueError::Trailing {
                offset: self.offset,
                found,
            }),
        }
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], SavedValueError> {
        self.take(N)
            .map(|bytes| bytes.try_into().expect("as many were taken"))
    }

    pub fn u32(&mut self) -> Result<u32, SavedValueError> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, SavedValueError> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn position(&mut self) -> Result<(LogPosition, u64), SavedValueError> {
        let position = LogPosition {
            sequence: self.u64()?,
            bytes: self.u64()?,
        };
        Ok((position, self.u64()?))
    }
}
