//! Reading of little-endian numbers from the bytes of a frame.

use super::WireError;

/// A cursor over the bytes of a frame.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// Offset from the start of the frame.
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Creates a reader of `bytes`, which start at `offset` of the frame.
    pub fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    /// Returns the offset of the next byte from the start of the frame.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Reads `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let offset = self.offset;
        let found = self.bytes.len();
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            return Err(WireError::Truncated {
                offset,
                expected: count,
                found,
            });
        };
        self.bytes = rest;
        self.offset += count;
        Ok(taken)
    }

    /// Returns whether no byte is left.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Reads all remaining bytes.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// Returns an error if bytes are left.
    pub fn end(&self) -> Result<(), WireError> {
        match self.bytes.len() {
            0 => Ok(()),
            found => Err(WireError::Trailing {
                offset: self.offset,
                found,
            }),
        }
    }

    /// Reads `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        Ok(self
            .take(N)?
            .try_into()
            .expect("take returns the requested count"))
    }

    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Reads a float, which must be finite.
    pub fn f32(&mut self, what: &'static str) -> Result<f32, WireError> {
        let value = f32::from_le_bytes(self.array()?);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(WireError::NonFinite {
                what,
                found: value.to_string(),
            })
        }
    }
}
