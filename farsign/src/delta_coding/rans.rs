//! Range asymmetric numeral systems (rANS): pairs as states and words, close to the entropy of their frequencies.
//!
//! Pair `i` of a block belongs to state `i % 8`, so that the processor works on several pairs at once. The encoder begins
//! with the last pair of the last block, and the decoder reads forward.

use super::bytes::{Reader, write_word};
use super::table::{FrequencyTable, SCALE, SCALE_BITS};
use super::{DeltaError, ESCAPE};

/// Number of states.
pub(super) const LANES: usize = 8;

/// The state with which the encoder begins, and the smallest of all.
const FIRST_STATE: u32 = 1 << WORD_BITS;

const WORD_BITS: u32 = 16;

/// Bits of a reciprocal. A state before division is below `frequency << 20`, for which 44 bits give the exact quotient.
const RECIPROCAL_BITS: u32 = 44;

/// What the encoder needs of a pair.
#[derive(Clone, Copy, Debug, Default)]
struct Symbol {
    reciprocal: u64,
    /// The state from which on a word is written first.
    limit: u32,
    complement: u16,
    /// The sum of the frequencies of the pairs before this one.
    start: u16,
}

/// The symbols of all pairs.
#[derive(Debug)]
pub(super) struct EncoderTable {
    symbols: [Symbol; 256],
    escapes: [bool; 256],
}

impl EncoderTable {
    /// Creates the table. Pairs without a frequency have the symbol of the escape.
    pub fn new(table: &FrequencyTable) -> Self {
        let mut start = 0;
        let mut symbols = table.pair_frequencies().map(|frequency| {
            let symbol = Symbol {
                reciprocal: (1 << RECIPROCAL_BITS) / u64::from(frequency.max(1)) + 1,
                limit: frequency << (2 * WORD_BITS - SCALE_BITS),
                complement: (SCALE - frequency) as u16,
                start: start as u16,
            };
            start += frequency;
            symbol
        });
        let escape = symbols[usize::from(ESCAPE)];
        for symbol in symbols.iter_mut().filter(|symbol| symbol.limit == 0) {
            *symbol = escape;
        }
        Self {
            symbols,
            escapes: symbols.map(|symbol| symbol.start == escape.start),
        }
    }

    /// Returns the pairs, by their positions in a block, that escape.
    pub fn escapes(&self, pairs: &[u8]) -> impl Iterator<Item = usize> {
        let escapes = |pair: &u8| self.escapes[usize::from(*pair)];
        // Most blocks have none, which a loop without branches finds faster.
        let any = pairs.iter().fold(false, |any, pair| any | escapes(pair));
        let pairs = if any { pairs } else { &[] };
        (0..)
            .zip(pairs)
            .filter(move |(_, pair)| escapes(pair))
            .map(|(index, _)| index)
    }
}

/// An encoder, which takes pairs from the last to the first.
#[derive(Debug)]
pub(super) struct RansEncoder {
    states: [u32; LANES],
    words: Vec<u16>,
    /// Words of a block, of which the first count.
    block: [u16; 256],
}

impl Default for RansEncoder {
    fn default() -> Self {
        Self {
            states: [FIRST_STATE; LANES],
            words: Vec::new(),
            block: [0; 256],
        }
    }
}

impl RansEncoder {
    /// Encodes the pairs of a block, whose number is a multiple of `LANES`.
    #[inline(always)]
    pub fn encode(&mut self, table: &EncoderTable, pairs: &[u8]) {
        let words = &mut self.block;
        let mut count = 0u8; // at most one word for each pair
        let mut states = self.states;
        for (index, pair) in pairs.iter().enumerate().rev() {
            let symbol = &table.symbols[usize::from(*pair)];
            let state = &mut states[index % LANES];
            words[usize::from(count)] = *state as u16;
            let is_full = *state >= symbol.limit;
            count += u8::from(is_full);
            let rest = if is_full { *state >> WORD_BITS } else { *state };
            let quotient = ((u64::from(rest) * symbol.reciprocal) >> RECIPROCAL_BITS) as u32;
            *state = rest + quotient * u32::from(symbol.complement) + u32::from(symbol.start);
        }
        self.states = states;
        self.words.extend_from_slice(&words[..usize::from(count)]);
    }

    /// Writes the states and the words in the order of decoding.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.states.iter().for_each(|state| write_word(*state, out));
        write_word(self.words.len() as u32, out);
        out.extend(self.words.iter().rev().flat_map(|word| word.to_le_bytes()));
    }
}

/// For each table, what the decoder needs for each remainder of a state: pair, frequency and distance from its start.
#[derive(Debug)]
pub(super) struct DecoderTables(Vec<u32>);

impl DecoderTables {
    /// Creates the tables.
    pub fn new(tables: &[FrequencyTable]) -> Self {
        let mut slots = Vec::with_capacity(tables.len() * SCALE as usize);
        for table in tables {
            for (pair, frequency) in (0..).zip(table.pair_frequencies()) {
                slots.extend((0..frequency).map(|distance| distance << 20 | frequency << 8 | pair));
            }
        }
        Self(slots)
    }

    /// Returns a table.
    pub fn get(&self, index: usize) -> &[u32; SCALE as usize] {
        &self.0.as_chunks().0[index]
    }
}

/// A decoder.
#[derive(Debug)]
pub(super) struct RansDecoder<'a> {
    states: [u32; LANES],
    words: &'a [[u8; 2]],
    next: usize,
}

impl<'a> RansDecoder<'a> {
    /// Reads what [`RansEncoder::write`] writes.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DeltaError> {
        let mut states = [0; LANES];
        for state in &mut states {
            *state = reader.word()?;
            if *state < FIRST_STATE {
                return Err(DeltaError::State {
                    expected: "of 0x00010000 or more",
                    found: *state,
                });
            }
        }
        let count = reader.word()? as usize;
        let words = reader.take(count.saturating_mul(2))?.as_chunks().0;
        Ok(Self {
            states,
            words,
            next: 0,
        })
    }

    /// Decodes the pairs of a block, whose number is a multiple of `LANES`.
    #[inline(always)]
    pub fn decode(
        &mut self,
        table: &[u32; SCALE as usize],
        pairs: &mut [u8],
    ) -> Result<(), DeltaError> {
        let words = self.words;
        let mut states = self.states;
        let mut next = self.next;
        for pairs in pairs.as_chunks_mut::<LANES>().0 {
            for (state, pair) in states.iter_mut().zip(pairs) {
                let slot = table[(*state % SCALE) as usize];
                *pair = slot as u8;
                let rest = (slot >> 8 & (SCALE - 1)) * (*state >> SCALE_BITS) + (slot >> 20);
                let word = words.get(next).map_or(0, |word| u16::from_le_bytes(*word));
                let is_small = rest < FIRST_STATE;
                *state = if is_small {
                    rest << WORD_BITS | u32::from(word)
                } else {
                    rest
                };
                next += usize::from(is_small);
            }
        }
        self.states = states;
        self.next = next;
        if next <= words.len() {
            return Ok(());
        }
        Err(DeltaError::Truncated {
            expected: 2 * (next - words.len()),
            found: 0,
        })
    }

    /// Returns an error unless all words were read and the encoder's first states are left.
    pub fn end(&self) -> Result<(), DeltaError> {
        if let Some(found) = self.states.iter().find(|state| **state != FIRST_STATE) {
            return Err(DeltaError::State {
                expected: "of 0x00010000 at the end",
                found: *found,
            });
        }
        match self.words.len() - self.next {
            0 => Ok(()),
            found => Err(DeltaError::Trailing { found: 2 * found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reciprocals_give_exact_quotients() {
        for frequency in 1..SCALE {
            let reciprocal = (1u64 << RECIPROCAL_BITS) / u64::from(frequency) + 1;
            let limit = u64::from(frequency) << 20;
            for near in [0, limit / 2, limit - 1] {
                let multiple = near / u64::from(frequency) * u64::from(frequency);
                for state in [multiple.saturating_sub(1), multiple, near] {
                    let quotient = state.checked_mul(reciprocal).unwrap() >> RECIPROCAL_BITS;
                    assert_eq!(
                        quotient,
                        state / u64::from(frequency),
                        "{state} / {frequency}"
                    );
                }
            }
        }
    }
}
