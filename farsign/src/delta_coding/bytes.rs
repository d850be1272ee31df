//! Plain bytes of a frame: numbers of variable length, words and low bits.

use super::DeltaError;

/// A cursor over the bytes of a frame.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Creates a reader of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DeltaError> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(DeltaError::Truncated {
                expected: count,
                found: self.0.len(),
            })?;
        self.0 = rest;
        Ok(taken)
    }

    /// Reads a byte.
    pub fn byte(&mut self) -> Result<u8, DeltaError> {
        Ok(self.take(1)?[0])
    }

    /// Reads a number of 32 bits in four bytes.
    pub fn word(&mut self) -> Result<u32, DeltaError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(
            bytes.try_into().expect("take returns four bytes"),
        ))
    }

    /// Reads a number of 32 bits in one to five bytes of seven bits each.
    pub fn number(&mut self) -> Result<u32, DeltaError> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let is_shortest = byte != 0 || shift == 0;
                let number = u32::try_from(number).ok().filter(|_| is_shortest);
                return number.ok_or(DeltaError::Number);
            }
        }
        Err(DeltaError::Number)
    }

    /// Reads a signed number: `0, -1, 1, -2, ...` as `0, 1, 2, 3, ...`.
    pub fn signed(&mut self) -> Result<i32, DeltaError> {
        let number = self.number()?;
        Ok((number >> 1) as i32 ^ -((number & 1) as i32))
    }

    /// Reads the low `shift` bits of all `values`.
    pub fn low_bits(&mut self, shift: u32, values: &mut [i32]) -> Result<(), DeltaError> {
        let mut bytes = self
            .take((values.len() * shift as usize).div_ceil(8))?
            .iter();
        let mut bits = 0u64;
        let mut count = 0;
        for value in values {
            while count < shift {
                let byte = bytes.next().expect("take returns the bytes of all values");
                bits |= u64::from(*byte) << count;
                count += 8;
            }
            *value |= (bits & ((1 << shift) - 1)) as i32;
            bits >>= shift;
            count -= shift;
        }
        if bits == 0 {
            Ok(())
        } else {
            Err(DeltaError::Spare { found: bits as u8 })
        }
    }

    /// Returns an error if bytes are left.
    pub fn end(&self) -> Result<(), DeltaError> {
        match self.0.len() {
            0 => Ok(()),
            found => Err(DeltaError::Trailing { found }),
        }
    }
}

/// Writes what [`Reader::word`] reads.
pub(super) fn write_word(word: u32, out: &mut Vec<u8>) {
    out.extend(word.to_le_bytes());
}

/// Writes what [`Reader::number`] reads.
pub(super) fn write_number(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Writes what [`Reader::signed`] reads.
pub(super) fn write_signed(value: i32, out: &mut Vec<u8>) {
    write_number((value << 1 ^ value >> 31) as u32, out);
}

/// Writes what [`Reader::low_bits`] reads.
pub(super) fn write_low_bits(shift: u32, values: &[i32], out: &mut Vec<u8>) {
    let mut bits = 0u64;
    let mut count = 0;
    for value in values {
        bits |= u64::from(*value as u32 & ((1 << shift) - 1)) << count;
        count += shift;
        while count >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            count -= 8;
        }
    }
    if count > 0 {
        out.push(bits as u8);
    }
}
