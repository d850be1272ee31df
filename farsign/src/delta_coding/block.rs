//! Blocks of values as pairs, with escaped values and low bits beside them.

use super::bytes::{Reader, write_low_bits, write_signed};
use super::rans::{EncoderTable, LANES};
use super::table::{Counts, FrequencyTable};
use super::{BLOCK, DeltaError, ESCAPE, PAIRS, RADIUS, VALUES};

/// A pair of two zeros, which also fills up the last block.
const ZEROS: u8 = RADIUS as u8 | (RADIUS as u8) << 4;

/// Values whose numbers fit in a byte.
const COUNTED: usize = 128;

/// The pairs of a block.
#[derive(Clone, Debug)]
pub(super) struct PairBlock {
    pairs: [u8; PAIRS],
    count: usize,
}

impl PairBlock {
    /// Creates a block of zeros for `values` values, filled up to whole groups of pairs.
    pub fn of_length(values: usize) -> Self {
        Self {
            pairs: [ZEROS; PAIRS],
            count: values.div_ceil(2 * LANES) * LANES,
        }
    }

    /// Creates the block of at most `BLOCK` values, and counts them.
    #[inline(always)]
    pub fn new(values: &[i32], shift: u32, counts: &mut Counts) -> Self {
        let mut block = Self::of_length(values.len());
        let mut places = [RADIUS as u8; BLOCK];
        for (place, value) in places.iter_mut().zip(values) {
            *place = ((value >> shift).wrapping_add(RADIUS) as u32).min(VALUES as u32) as u8;
        }
        for (pair, [first, second]) in block.pairs.iter_mut().zip(places.as_chunks().0) {
            *pair = first | second << 4;
        }
        let places = &places[..2 * block.count];
        let mut min = u8::MAX;
        let mut max = 0;
        for place in places {
            min = min.min(*place);
            max = max.max(*place);
        }
        for places in places.chunks(COUNTED) {
            for value in min..=max {
                let found = places
                    .iter()
                    .fold(0u8, |sum, place| sum + u8::from(*place == value));
                counts[usize::from(value)] += u32::from(found);
            }
        }
        block
    }

    /// Returns the pairs.
    pub fn get(&self) -> &[u8] {
        &self.pairs[..self.count]
    }

    /// Returns the pairs.
    pub fn get_mut(&mut self) -> &mut [u8] {
        &mut self.pairs[..self.count]
    }

    /// Writes the values of escaped pairs, and the low bits of all values.
    #[inline(always)]
    pub fn write_extras(
        &self,
        values: &[i32],
        symbols: &EncoderTable,
        shift: u32,
        out: &mut Vec<u8>,
    ) {
        for index in symbols.escapes(self.get()) {
            for index in [2 * index, 2 * index + 1] {
                write_signed(values.get(index).map_or(0, |value| value >> shift), out);
            }
        }
        if shift > 0 {
            write_low_bits(shift, values, out);
        }
    }

    /// Writes the values into `out`, of which escaped values and low bits come from `reader`.
    #[inline(always)]
    pub fn values(
        &self,
        table: &FrequencyTable,
        reader: &mut Reader<'_>,
        out: &mut [i32],
    ) -> Result<(), DeltaError> {
        let shift = table.shift();
        let mut values = [0; BLOCK];
        for (values, pair) in values.as_chunks_mut().0.iter_mut().zip(&self.pairs) {
            *values = [pair & 15, pair >> 4].map(|place| (i32::from(place) - RADIUS) << shift);
        }
        if self.pairs.contains(&ESCAPE) {
            self.read_escaped(table, reader, &mut values)?;
        }
        let (values, padding) = values.split_at_mut(out.len());
        if let Some(found) = padding.iter().find(|value| **value != 0) {
            return Err(DeltaError::Padding { found: *found });
        }
        if shift > 0 {
            reader.low_bits(shift, values)?;
        }
        out.copy_from_slice(values);
        Ok(())
    }

    fn read_escaped(
        &self,
        table: &FrequencyTable,
        reader: &mut Reader<'_>,
        values: &mut [i32; BLOCK],
    ) -> Result<(), DeltaError> {
        let shift = table.shift();
        for (values, pair) in values.as_chunks_mut::<2>().0.iter_mut().zip(&self.pairs) {
            if *pair != ESCAPE {
                continue;
            }
            let escaped = [reader.signed()?, reader.signed()?];
            if table.codes(escaped) {
                return Err(DeltaError::Escape { found: escaped });
            }
            for (value, found) in values.iter_mut().zip(escaped) {
                *value = found << shift;
                if *value >> shift != found {
                    return Err(DeltaError::Overflow { found, shift });
                }
            }
        }
        Ok(())
    }
}
