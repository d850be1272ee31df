//! Packed sign bits, the content of an update.
//!
//! ```text
//!   sign k  ->  bit k % 8 (least significant first) of byte k / 8;  1 is +1, 0 is -1;  spare bits are 0
//! ```
//!
//! # Examples
//!
//! ```
//! use farsign::sign::SignBits;
//!
//! let mut signs = SignBits::default();
//! signs.copy_from(&[0.3, -2.0, 1e-9], 7); // the seed 7 decides the sign of zeros
//! assert_eq!(signs.as_bytes(), [0b101]);
//! assert_eq!(signs.iter().collect::<Vec<_>>(), [1.0, -1.0, 1.0]);
//! assert_eq!(SignBits::from_bytes(&[0b101], 3)?, signs);
//! assert!(SignBits::from_bytes(&[0b1101], 3).is_err()); // a spare bit is set
//! # Ok::<(), farsign::sign::SignBitsError>(())
//! ```

use crate::random::Stream;
use crate::simd::dispatch;

/// A packed vector of signs, one bit per direction, `[K]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignBits {
    count: usize,
    bytes: Vec<u8>,
}

/// An error in packed sign bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum SignBitsError {
    /// A length other than `ceil(count / 8)` bytes.
    #[error("expected {expected} bytes of sign bits, found {found}")]
    Length { expected: usize, found: usize },
    /// A nonzero bit after the last sign.
    #[error("expected the spare bits of the last byte to be 0, found byte {found:#04x}")]
    Spare { found: u8 },
}

impl SignBits {
    /// Unpacks `count` signs.
    ///
    /// # Errors
    ///
    /// Returns an error if the length is not `ceil(count / 8)` or a spare bit is set.
    pub fn from_bytes(bytes: &[u8], count: usize) -> Result<Self, SignBitsError> {
        let mut signs = Self::default();
        signs.copy_from_bytes(bytes, count).map(|()| signs)
    }

    /// Replaces the signs by `count` packed signs, in the same buffer.
    ///
    /// # Errors
    ///
    /// Returns an error if the length is not `ceil(count / 8)` or a spare bit is set. The signs are unchanged then.
    pub fn copy_from_bytes(&mut self, bytes: &[u8], count: usize) -> Result<(), SignBitsError> {
        let expected = count.div_ceil(8);
        let found = bytes.len();
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

    /// Replaces the signs by those of `y`, `[K]`.
    ///
    /// A zero takes bit `k % 64` of output `k / 64` of the coin stream instead, so that a direction without information
    /// does not push on average.
    pub fn copy_from(&mut self, y: &[f32], coin_seed: u64) {
        self.count = y.len();
        self.bytes.clear();
        let mut coins = Stream::new(coin_seed);
        let (blocks, rest) = y.as_chunks::<WORD>();
        dispatch(
            #[inline(always)]
            || {
                for block in blocks {
                    self.bytes
                        .extend_from_slice(&pack_signs(block, coins.bits()).to_le_bytes());
                }
            },
        );
        if !rest.is_empty() {
            let mut block = [1.0; WORD];
            block[..rest.len()].copy_from_slice(rest);
            let bits = pack_signs(&block, coins.bits()) & ((1 << rest.len()) - 1);
            self.bytes
                .extend_from_slice(&bits.to_le_bytes()[..rest.len().div_ceil(8)]);
        }
    }

    /// Returns the opposite of every sign.
    #[must_use]
    pub fn flipped(&self) -> Self {
        let mut bytes: Vec<u8> = self.bytes.iter().map(|b| !b).collect();
        if let Some(last) = bytes.last_mut()
            && !self.count.is_multiple_of(8)
        {
            *last &= (1 << (self.count % 8)) - 1;
        }
        Self {
            count: self.count,
            bytes,
        }
    }

    /// Accumulates the signs into `out`, `[K]`: `out[k] <- combine(out[k], s_k)`, with signs of 1 and -1.
    ///
    /// `combine` owns its captures (`'static`): a captured reference might alias `out`, and the compiler would then
    /// emit a scalar loop.
    pub fn accumulate<T: Copy>(
        &self,
        out: &mut [T],
        combine: impl Fn(T, i32) -> T + Copy + 'static,
    ) {
        debug_assert_eq!(out.len(), self.count);
        dispatch(
            #[inline(always)]
            move || combine_signs(&self.bytes, out, combine),
        );
    }

    /// Returns the number of signs.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the packed bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the signs as `+1.0` or `-1.0`, in order.
    pub fn iter(&self) -> impl Iterator<Item = f32> + '_ {
        unpack_signs(&self.bytes).take(self.count)
    }
}

/// Number of signs per output of the coin stream.
const WORD: usize = 64;

/// Packs the sign of every value; a zero takes the bit of `toss` at its position.
#[inline(always)]
fn pack_signs(block: &[f32; WORD], toss: u64) -> u64 {
    pack(block.map(|v| u8::from(v > 0.0))) | (pack(block.map(|v| u8::from(v == 0.0))) & toss)
}

/// Packs byte `k`, which is 0 or 1, into bit `k`.
#[inline(always)]
fn pack(flags: [u8; WORD]) -> u64 {
    // Shifts byte i by 56 - 7 i, to bit 56 + i, and every other part of the product out of the high byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = flags.as_chunks::<8>();
    let mut bytes = [0; WORD / 8];
    for (byte, eight) in bytes.iter_mut().zip(eights) {
        *byte = (u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56) as u8;
    }
    u64::from_le_bytes(bytes)
}

/// Signs that are unpacked together, before they are combined.
const BLOCK: usize = 128;

/// The eight signs of every byte.
///
/// Testing bits in the loop that combines is slower by half an order of magnitude wherever the compiler can prove that
/// `out` does not alias the bytes: it then vectorises across blocks, with gathers and shuffles.
static SIGNS_OF_BYTE: [[i32; 8]; 256] = signs_of_every_byte();

const fn signs_of_every_byte() -> [[i32; 8]; 256] {
    let mut table = [[-1; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte][bit] = 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
}

#[inline(always)]
fn combine_signs<T: Copy>(bytes: &[u8], out: &mut [T], combine: impl Fn(T, i32) -> T) {
    let mut signs = [0; BLOCK];
    for (values, bytes) in out.chunks_mut(BLOCK).zip(bytes.chunks(BLOCK / 8)) {
        for (unpacked, byte) in signs.as_chunks_mut().0.iter_mut().zip(bytes) {
            *unpacked = SIGNS_OF_BYTE[usize::from(*byte)];
        }
        for (value, sign) in values.iter_mut().zip(&signs) {
            *value = combine(*value, *sign);
        }
    }
}

fn unpack_signs(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| if byte >> bit & 1 == 1 { 1.0 } else { -1.0 }))
}

#[cfg(all(test, not(target_family = "wasm")))] // proptest does not run in a browser
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packing_preserves_signs(y in prop::collection::vec(-1.0f32..1.0, 0..300), seed: u64) {
            let mut bits = SignBits::default();
            bits.copy_from(&y, seed);
            prop_assert_eq!(bits.as_bytes().len(), y.len().div_ceil(8));
            for (k, (s, v)) in bits.iter().zip(&y).enumerate() {
                prop_assert!(*v == 0.0 || s * v > 0.0, "sign {} of {} is {}", k, v, s);
            }
            prop_assert_eq!(SignBits::from_bytes(bits.as_bytes(), y.len()), Ok(bits));
        }

        #[test]
        fn block_packing_equals_scalar_packing(
            y in prop::collection::vec(prop_oneof![Just(0.0f32), Just(-0.0), -1.0f32..1.0], 0..300), seed: u64,
        ) {
            let mut coins = Stream::new(seed);
            let mut toss = 0;
            let mut expected = vec![0u8; y.len().div_ceil(8)];
            for (k, v) in y.iter().enumerate() {
                if k % 64 == 0 {
                    toss = coins.bits();
                }
                let up = if *v == 0.0 { toss >> (k % 64) & 1 == 1 } else { *v > 0.0 };
                expected[k / 8] |= u8::from(up) << (k % 8);
            }
            let mut bits = SignBits::default();
            bits.copy_from(&y, seed);
            prop_assert_eq!(bits.as_bytes(), expected);
        }

        #[test]
        fn block_accumulate_equals_scalar_accumulate(
            y in prop::collection::vec(-1.0f32..1.0, 0..300), seed: u64, scale in -1.0f32..1.0,
        ) {
            let mut bits = SignBits::default();
            bits.copy_from(&y, seed);
            let expected: Vec<u32> = y.iter().zip(bits.iter()).map(|(y, s)| (y + scale * s).to_bits()).collect();
            let mut found = y.clone();
            bits.accumulate(&mut found, move |y, s| y + scale * s as f32);
            prop_assert_eq!(found.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn flipping_negates_every_sign(y in prop::collection::vec(-1.0f32..1.0, 1..300), seed: u64) {
            let mut bits = SignBits::default();
            bits.copy_from(&y, seed);
            let flipped = bits.flipped();
            prop_assert!(bits.iter().zip(flipped.iter()).all(|(a, b)| a == -b));
            prop_assert!(SignBits::from_bytes(flipped.as_bytes(), y.len()).is_ok());
        }
    }

    #[test]
    fn zeros_take_fair_seeded_coins() {
        let zeros = vec![0.0; 10_000];
        let mut bits = SignBits::default();
        bits.copy_from(&zeros, 7);
        let sum: f32 = bits.iter().sum();
        assert!(
            sum.abs() < 500.0,
            "coins of seed 7 are biased: {sum} of 10000"
        );
        let mut other = SignBits::default();
        other.copy_from(&zeros, 8);
        assert_ne!(bits, other);
    }

    #[test]
    fn wrong_length_and_spare_bits_rejected() {
        let read = |bytes: &[u8], count| SignBits::from_bytes(bytes, count);
        assert_eq!(
            read(&[0, 0], 8),
            Err(SignBitsError::Length {
                expected: 1,
                found: 2
            })
        );
        assert_eq!(
            read(&[], 1),
            Err(SignBitsError::Length {
                expected: 1,
                found: 0
            })
        );
        assert_eq!(read(&[0b1000], 3), Err(SignBitsError::Spare { found: 8 }));
        assert!(read(&[0b0111], 3).is_ok());
    }
}
