//! Packed sign bits: what a volunteer sends.
//!
//! ```text
//!   sign k  ->  bit k % 8 (least significant first) of byte k / 8;  1 is +1, 0 is -1;  spare bits are 0
//! ```

use crate::random::Stream;
use crate::vectors::widest;

/// One sign per direction, `[directions]`, a bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignBits {
    count: usize,
    bytes: Vec<u8>,
}

/// Why bytes are not the sign bits that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignBitsError {
    /// The number of bytes does not hold the number of signs.
    #[error("expected {expected} bytes of sign bits, found {found}")]
    Length {
        /// `ceil(count / 8)`.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// Bits behind the last sign must be zero.
    #[error("expected the spare bits of the last byte to be 0, found byte {found:#04x}")]
    Spare {
        /// The last byte.
        found: u8,
    },
}

impl SignBits {
    /// Reads `count` signs from their packed form.
    ///
    /// # Errors
    /// When the length is wrong or a spare bit is set.
    pub fn from_bytes(bytes: &[u8], count: usize) -> Result<Self, SignBitsError> {
        let mut signs = Self::default();
        signs.set_from_bytes(bytes, count).map(|()| signs)
    }

    /// As [`SignBits::from_bytes`], in the buffer at hand.
    ///
    /// # Errors
    /// When the length is wrong or a spare bit is set; nothing has changed then.
    pub fn set_from_bytes(&mut self, bytes: &[u8], count: usize) -> Result<(), SignBitsError> {
        let (expected, found) = (count.div_ceil(8), bytes.len());
        if expected != found {
            return Err(SignBitsError::Length { expected, found });
        }
        if let Some(&last) = bytes.last()
            && !count.is_multiple_of(8)
            && last >> (count % 8) != 0
        {
            return Err(SignBitsError::Spare { found: last });
        }
        self.count = count;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes the sign of every `y`; a zero takes bit `k % 64` of output `k / 64` of the coin stream instead, so
    /// that a direction without information pushes nowhere on average.
    pub fn set_from(&mut self, y: &[f32], coin_seed: u64) {
        self.count = y.len();
        self.bytes.clear();
        let mut coins = Stream::new(coin_seed);
        let (blocks, rest) = y.as_chunks::<WORD>();
        widest(
            #[inline(always)]
            || {
                for block in blocks {
                    self.bytes.extend_from_slice(&signs_of_block(block, coins.bits()).to_le_bytes());
                }
            },
        );
        if !rest.is_empty() {
            let mut block = [1.0; WORD];
            block[..rest.len()].copy_from_slice(rest);
            let bits = signs_of_block(&block, coins.bits()) & ((1 << rest.len()) - 1);
            self.bytes.extend_from_slice(&bits.to_le_bytes()[..rest.len().div_ceil(8)]);
        }
    }

    /// The opposite of every sign.
    #[must_use]
    pub fn flipped(&self) -> Self {
        let mut bytes: Vec<u8> = self.bytes.iter().map(|b| !b).collect();
        if let Some(last) = bytes.last_mut()
            && !self.count.is_multiple_of(8)
        {
            *last &= (1 << (self.count % 8)) - 1;
        }
        Self { count: self.count, bytes }
    }

    /// Combines each value of `out`, `[K]`, with its sign: `out[k] <- combine(out[k], s_k)`.
    pub fn combine_into(&self, out: &mut [f32], combine: impl Fn(f32, f32) -> f32) {
        debug_assert_eq!(out.len(), self.count);
        widest(
            #[inline(always)]
            || combine_signs(&self.bytes, out, &combine),
        );
    }

    /// Number of signs.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The packed form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signs as `+1.0` or `-1.0`, in order.
    pub fn iter(&self) -> impl Iterator<Item = f32> + '_ {
        signs_of(&self.bytes).take(self.count)
    }
}

/// Signs that share an output of the coin stream.
const WORD: usize = 64;

/// The sign of every value, a bit each; that of the outcome `toss` has there for a zero.
#[inline(always)]
fn signs_of_block(block: &[f32; WORD], toss: u64) -> u64 {
    pack(block.map(|v| u8::from(v > 0.0))) | (pack(block.map(|v| u8::from(v == 0.0))) & toss)
}

/// Bit `k` from byte `k`, which is 0 or 1.
#[inline(always)]
fn pack(flags: [u8; WORD]) -> u64 {
    // Shifts byte i by 56 - 7 i, to bit 56 + i, and everything else of the product elsewhere.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = flags.as_chunks::<8>();
    let mut bytes = [0; WORD / 8];
    for (byte, eight) in bytes.iter_mut().zip(eights) {
        *byte = (u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56) as u8;
    }
    u64::from_le_bytes(bytes)
}

/// Signs a block takes from one word; measured to be the size that compilers turn into vectors everywhere.
const BLOCK: usize = 32;

#[inline(always)]
fn combine_signs(bytes: &[u8], out: &mut [f32], combine: &impl Fn(f32, f32) -> f32) {
    let (blocks, tail) = out.as_chunks_mut::<BLOCK>();
    let (words, _) = bytes.as_chunks::<{ BLOCK / 8 }>();
    let rest = &bytes[blocks.len() * BLOCK / 8..];
    for (block, word) in blocks.iter_mut().zip(words) {
        let word = u32::from_le_bytes(*word);
        for lane in 0..BLOCK {
            let sign = if word & (1 << lane) == 0 { -1.0 } else { 1.0 };
            block[lane] = combine(block[lane], sign);
        }
    }
    tail.iter_mut().zip(signs_of(rest)).for_each(|(value, sign)| *value = combine(*value, sign));
}

fn signs_of(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.iter().flat_map(|byte| (0..8).map(move |bit| if byte >> bit & 1 == 1 { 1.0 } else { -1.0 }))
}

#[cfg(all(test, not(target_family = "wasm")))] // proptest does not run in a browser
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packing_keeps_every_sign(y in prop::collection::vec(-1.0f32..1.0, 0..300), seed: u64) {
            let mut bits = SignBits::default();
            bits.set_from(&y, seed);
            prop_assert_eq!(bits.as_bytes().len(), y.len().div_ceil(8));
            for (k, (s, v)) in bits.iter().zip(&y).enumerate() {
                prop_assert!(*v == 0.0 || s * v > 0.0, "sign {} of {} is {}", k, v, s);
            }
            prop_assert_eq!(SignBits::from_bytes(bits.as_bytes(), y.len()), Ok(bits));
        }

        #[test]
        fn packing_in_blocks_equals_packing_one_by_one(
            y in prop::collection::vec(prop_oneof![Just(0.0f32), Just(-0.0), -1.0f32..1.0], 0..300), seed: u64,
        ) {
            let (mut coins, mut toss) = (Stream::new(seed), 0);
            let mut expected = vec![0u8; y.len().div_ceil(8)];
            for (k, v) in y.iter().enumerate() {
                if k % 64 == 0 {
                    toss = coins.bits();
                }
                let up = if *v == 0.0 { toss >> (k % 64) & 1 == 1 } else { *v > 0.0 };
                expected[k / 8] |= u8::from(up) << (k % 8);
            }
            let mut bits = SignBits::default();
            bits.set_from(&y, seed);
            prop_assert_eq!(bits.as_bytes(), expected);
        }

        #[test]
        fn combining_in_blocks_equals_combining_one_by_one(
            y in prop::collection::vec(-1.0f32..1.0, 0..300), seed: u64, scale in -1.0f32..1.0,
        ) {
            let mut bits = SignBits::default();
            bits.set_from(&y, seed);
            let expected: Vec<u32> = y.iter().zip(bits.iter()).map(|(y, s)| (y + scale * s).to_bits()).collect();
            let mut found = y.clone();
            bits.combine_into(&mut found, |y, s| y + scale * s);
            prop_assert_eq!(found.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn flipping_negates_every_sign(y in prop::collection::vec(-1.0f32..1.0, 1..300), seed: u64) {
            let mut bits = SignBits::default();
            bits.set_from(&y, seed);
            let flipped = bits.flipped();
            prop_assert!(bits.iter().zip(flipped.iter()).all(|(a, b)| a == -b));
            prop_assert!(SignBits::from_bytes(flipped.as_bytes(), y.len()).is_ok());
        }
    }

    #[test]
    fn zeros_take_fair_coins_from_the_seed() {
        let (zeros, mut bits) = (vec![0.0; 10_000], SignBits::default());
        bits.set_from(&zeros, 7);
        let sum: f32 = bits.iter().sum();
        assert!(sum.abs() < 500.0, "coins of seed 7 lean: {sum} of 10000");
        let mut other = SignBits::default();
        other.set_from(&zeros, 8);
        assert_ne!(bits, other);
    }

    #[test]
    fn wrong_lengths_and_spare_bits_are_named() {
        let read = |bytes: &[u8], count| SignBits::from_bytes(bytes, count);
        assert_eq!(read(&[0, 0], 8), Err(SignBitsError::Length { expected: 1, found: 2 }));
        assert_eq!(read(&[], 1), Err(SignBitsError::Length { expected: 1, found: 0 }));
        assert_eq!(read(&[0b1000], 3), Err(SignBitsError::Spare { found: 8 }));
        assert!(read(&[0b0111], 3).is_ok());
    }
}
