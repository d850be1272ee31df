//! Tables of frequencies.
//!
//! A frame has the frequency of every single value. The frequency of a pair is their product, because the two values
//! of a pair are coded as independent.

use super::bytes::{Reader, write_number};
use super::{DeltaError, ESCAPE, MAX_SHIFT, RADIUS, VALUES};

/// Bits of a frequency.
pub(super) const SCALE_BITS: u32 = 12;

/// Sum of all frequencies.
pub(super) const SCALE: u32 = 1 << SCALE_BITS;

/// How often each value occurs, and last, how often values beyond `RADIUS` do.
pub(super) type Counts = [u32; VALUES + 1];

/// A shift and the frequencies of the values that are left after it.
#[derive(Debug)]
pub(super) struct FrequencyTable {
    shift: u32,
    /// Frequencies of the values `-RADIUS..=RADIUS`, with a sum below `SCALE`.
    frequencies: [u32; VALUES],
}

impl FrequencyTable {
    /// Creates the table for values that occur `counts` times.
    ///
    /// The frequency of 0 is such that the table codes a pair of zeros.
    pub fn new(shift: u32, counts: &Counts) -> Self {
        let total = counts
            .iter()
            .map(|count| u64::from(*count))
            .sum::<u64>()
            .max(1);
        let scaled =
            |count: &u32| ((u64::from(*count) * u64::from(SCALE) + total / 2) / total) as u32;
        let mut frequencies = [0; VALUES];
        for (frequency, count) in frequencies.iter_mut().zip(counts) {
            *frequency = scaled(count);
        }
        let zero = &mut frequencies[RADIUS as usize];
        *zero = (*zero).max(SCALE.isqrt());
        let excess = frequencies.iter().sum::<u32>().saturating_sub(SCALE - 1);
        *frequencies.iter_mut().max().expect("a table has values") -= excess;
        Self { shift, frequencies }
    }

    /// Returns the number of low bits of every value that are not in pairs.
    pub fn shift(&self) -> u32 {
        self.shift
    }

    /// Returns the frequency of every pair. That of the escape is what the others leave.
    pub fn pair_frequencies(&self) -> [u32; 256] {
        let mut pairs = [0; 256];
        for (row, second) in pairs.chunks_mut(16).zip(&self.frequencies) {
            for (pair, first) in row.iter_mut().zip(&self.frequencies) {
                *pair = (first * second) >> SCALE_BITS;
            }
        }
        pairs[usize::from(ESCAPE)] = SCALE - pairs.iter().sum::<u32>();
        pairs
    }

    /// Returns whether the table has a frequency for the pair of these values.
    pub fn codes(&self, pair: [i32; 2]) -> bool {
        let [first, second] = pair.map(|value| {
            let index = value
                .checked_add(RADIUS)
                .and_then(|index| usize::try_from(index).ok());
            index
                .and_then(|index| self.frequencies.get(index))
                .unwrap_or(&0)
        });
        first * second >= SCALE
    }

    /// Writes the table: shift and radius in a byte, then the frequencies up to the radius.
    pub fn write(&self, out: &mut Vec<u8>) {
        let zeros = |frequencies: &mut dyn Iterator<Item = &u32>| {
            frequencies.take_while(|f| **f == 0).count()
        };
        let outside =
            zeros(&mut self.frequencies.iter()).min(zeros(&mut self.frequencies.iter().rev()));
        let radius = RADIUS as usize - outside;
        out.push((self.shift | (radius as u32) << 5) as u8);
        for frequency in &self.frequencies[outside..VALUES - outside] {
            write_number(*frequency, out);
        }
    }

    /// Reads a table.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DeltaError> {
        let byte = reader.byte()?;
        let shift = u32::from(byte & 31);
        let radius = usize::from(byte >> 5);
        if shift > MAX_SHIFT {
            return Err(DeltaError::Shift { found: shift });
        }
        let outside = RADIUS as usize - radius;
        let mut frequencies = [0; VALUES];
        for frequency in &mut frequencies[outside..VALUES - outside] {
            *frequency = reader.number()?;
        }
        let sum = frequencies
            .iter()
            .fold(0u32, |sum, f| sum.saturating_add(*f));
        let codes_pair = frequencies
            .iter()
            .any(|f| u64::from(*f) * u64::from(*f) >= u64::from(SCALE));
        if sum < SCALE && codes_pair {
            Ok(Self { shift, frequencies })
        } else {
            Err(DeltaError::Frequencies { found: sum })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(table: &FrequencyTable) -> Vec<u8> {
        let mut bytes = Vec::new();
        table.write(&mut bytes);
        let mut reader = Reader::new(&bytes);
        let read = FrequencyTable::read(&mut reader).unwrap();
        assert_eq!(reader.end(), Ok(()));
        assert_eq!(
            (read.shift, read.frequencies),
            (table.shift, table.frequencies)
        );
        bytes
    }

    #[test]
    fn pair_frequencies_are_products() {
        let mut counts = Counts::default();
        counts[6..9].copy_from_slice(&[16, 68, 15]);
        counts[VALUES] = 1;
        let table = FrequencyTable::new(3, &counts);
        assert_eq!(table.frequencies[6..9], [655, 2785, 614]);
        assert_eq!(round_trip(&table)[0], 3 | 1 << 5);
        let pairs = table.pair_frequencies();
        assert_eq!(pairs[0x77], (2785 * 2785) >> 12);
        assert_eq!(pairs[0x76], (2785 * 655) >> 12);
        assert_eq!(pairs[0x75], 0);
        assert_eq!(pairs.iter().sum::<u32>(), SCALE);
        assert!(table.codes([-1, 1]) && !table.codes([2, 0]) && !table.codes([i32::MAX, 0]));
    }

    #[test]
    fn extreme_counts_give_valid_tables() {
        let only = |index: usize| {
            let mut counts = Counts::default();
            counts[index] = 1 << 24;
            counts
        };
        for counts in [
            Counts::default(),
            [1; 16],
            [1 << 24; 16],
            only(0),
            only(7),
            only(15),
        ] {
            let table = FrequencyTable::new(0, &counts);
            let pairs = table.pair_frequencies();
            assert!(
                pairs.iter().all(|f| *f < SCALE) && pairs[255] > 0,
                "{counts:?}"
            );
            assert!(table.codes([0, 0]));
            round_trip(&table);
        }
    }

    #[test]
    fn invalid_tables_are_rejected() {
        let read = |bytes: &[u8]| FrequencyTable::read(&mut Reader::new(bytes)).unwrap_err();
        assert_eq!(read(&[29, 0x80, 0x10]), DeltaError::Shift { found: 29 });
        assert_eq!(
            read(&[0, 0x80, 0x20]),
            DeltaError::Frequencies { found: 4096 }
        );
        assert_eq!(read(&[0, 63]), DeltaError::Frequencies { found: 63 });
        assert_eq!(read(&[0, 0x80, 0]), DeltaError::Number);
        assert!(matches!(
            read(&[1 << 5, 9, 9]),
            DeltaError::Truncated { .. }
        ));
    }
}
