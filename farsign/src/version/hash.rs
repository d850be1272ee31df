//! Names of versions.

use std::fmt;
use std::str::FromStr;

use super::Grid;
use crate::dataset::{hexadecimal, parse_hexadecimal};
use crate::simd::dispatch;

/// Values that are hashed together.
const BLOCK: usize = 16_384;

/// An error for text that is not the hash of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a version hash of 64 hexadecimal digits in lower case, found something else")]
pub struct ParseVersionHashError;

/// The BLAKE3 hash of a version: of `k` as little-endian integers of 1, 2 or 4 bytes, the fewest that hold every value, then
/// of a byte of fraction bits and one of the grid's shift.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionHash(pub [u8; 32]);

impl VersionHash {
    /// Hashes the values of a version.
    pub(super) fn new(grid: Grid, k: &[i32]) -> Self {
        let mut hasher = blake3::Hasher::new();
        match magnitudes(k) {
            0..=0x7f => update(&mut hasher, k, |k| (k as i8).to_le_bytes()),
            0x80..=0x7fff => update(&mut hasher, k, |k| (k as i16).to_le_bytes()),
            _ => update(&mut hasher, k, i32::to_le_bytes),
        }
        // Last: after two bytes, no block of values would be a whole number of BLAKE3's chunks, which takes twice the time.
        hasher.update(&[grid.fixed_point.fraction_bits(), grid.shift]);
        Self(hasher.finalize().into())
    }
}

/// Returns the union of the bits of all values, of negative ones those of their complement.
fn magnitudes(k: &[i32]) -> i32 {
    dispatch(
        #[inline(always)]
        move || k.iter().fold(0, |all, k| all | (k ^ (k >> 31))),
    )
}

fn update<const N: usize>(
    hasher: &mut blake3::Hasher,
    k: &[i32],
    bytes_of: impl Fn(i32) -> [u8; N] + Copy,
) {
    let mut buffer = vec![[0; N]; BLOCK.min(k.len())];
    for block in k.chunks(BLOCK) {
        let bytes = &mut buffer[..block.len()];
        dispatch(
            #[inline(always)]
            move || {
                for (bytes, k) in bytes.iter_mut().zip(block) {
                    *bytes = bytes_of(*k);
                }
            },
        );
        hasher.update(buffer[..block.len()].as_flattened());
    }
}

impl fmt::Display for VersionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hexadecimal(self.0))
    }
}

impl fmt::Debug for VersionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads one form only, so that a version has one address.
impl FromStr for VersionHash {
    type Err = ParseVersionHashError;

    fn from_str(text: &str) -> Result<Self, ParseVersionHashError> {
        parse_hexadecimal(text)
            .map(Self)
            .ok_or(ParseVersionHashError)
    }
}
