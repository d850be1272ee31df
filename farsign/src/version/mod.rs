//! Published versions of the model, rounded to a grid.
//!
//! ```text
//!   x   parameters of the server, in units                       exact
//!   k   round(x / 2^grid)                                        the version: what volunteers compute on
//!   k_w - k_v  small integers                                    what travels from one version to the next
//! ```
//!
//! The step of the grid is a power of two units, proportional to how far the model moves while every volunteer sends one
//! update ([`GridSchedule`]). The difference of two versions therefore consists of small integers, whatever lies between
//! them. Rounding needs no error feedback: its error is at most half a step at any time, since `x` stays exact.
//!
//! A version is named by the hash of its bits. Every volunteer that holds it holds the same bits, so an update can be
//! verified, and a volunteer can check what a cache or a relay delivered.

mod grid_schedule;

pub use grid_schedule::{GridSchedule, GridState};

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::delta_coding::{self, DeltaError};
use crate::fixed_point::FixedPoint;

/// Values that are hashed together.
const HASH_BLOCK: usize = 8192;

/// The BLAKE3 hash of a version: of its fraction bits, its grid, and `k` as little-endian integers of 1, 2 or 4 bytes, the
/// fewest that hold every value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionHash(pub [u8; 32]);

impl fmt::Display for VersionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for VersionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The unit of a version's values: `2^(grid - fraction_bits)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Unit of the run's parameters.
    pub fixed_point: FixedPoint,
    /// Binary logarithm of the grid's step in units, at most [`Grid::MAX_SHIFT`].
    pub shift: u8,
}

impl Grid {
    /// Largest logarithm of a step.
    pub const MAX_SHIFT: u8 = 30;
}

/// A version of the model. Immutable.
#[derive(Debug)]
pub struct Version {
    number: u64,
    accepted: u64,
    grid: Grid,
    k: Vec<i32>,
    hash: VersionHash,
    parameters: OnceLock<Arc<[f32]>>,
}

/// An error in a received version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum VersionError {
    /// Invalid coded differences.
    #[error("invalid differences of a version: {0}")]
    Delta(#[from] DeltaError),
    /// A base in another unit.
    #[error("expected a version with {expected} fraction bits, found {found}")]
    FractionBits { expected: u8, found: u8 },
    /// A value that is not on the grid.
    #[error("expected multiples of 2^{shift}, found {found}")]
    OffGrid { shift: u8, found: i32 },
}

impl Version {
    /// Rounds the parameters `x`, `[d]`, to a grid; of two nearest multiples, the larger that `i32` can represent.
    pub fn round(number: u64, accepted: u64, x: &[i32], grid: Grid) -> Self {
        let shift = u32::from(grid.shift);
        let max = i32::MAX >> shift;
        let k = match shift.checked_sub(1) {
            None => x.to_vec(),
            Some(below) => {
                let round = |x: &i32| ((x >> shift) + (x >> below & 1)).min(max);
                x.iter().map(round).collect()
            }
        };
        Self::new(number, accepted, grid, k)
    }

    /// Computes a version of `d` parameters from coded differences to `base`; `None` stands for zeros.
    ///
    /// # Errors
    ///
    /// Returns an error if the differences are malformed or do not fit their base.
    pub fn from_differences(
        base: Option<&Self>,
        number: u64,
        grid: Grid,
        coded: &[u8],
        d: usize,
    ) -> Result<Self, VersionError> {
        let mut k = vec![0; d];
        delta_coding::decode(coded, &mut k)?;
        if let Some(base) = base {
            let expected = base.grid.fixed_point.fraction_bits();
            let found = grid.fixed_point.fraction_bits();
            if expected != found {
                return Err(VersionError::FractionBits { expected, found });
            }
            debug_assert_eq!(base.k.len(), d);
            let finer = base.grid.shift.min(grid.shift);
            let up = u32::from(base.grid.shift - finer);
            for (k, base) in k.iter_mut().zip(&base.k) {
                *k = k.wrapping_add(base << up);
            }
            let shift = grid.shift - finer;
            if shift > 0 {
                onto_grid(&mut k, shift)?;
            }
        }
        Ok(Self::new(number, 0, grid, k))
    }

    fn new(number: u64, accepted: u64, grid: Grid, k: Vec<i32>) -> Self {
        Self {
            number,
            accepted,
            grid,
            hash: hash(grid, &k),
            k,
            parameters: OnceLock::new(),
        }
    }

    /// Appends the coded differences from `base` to this version; `None` stands for zeros.
    pub fn write_differences(&self, base: Option<&Self>, out: &mut Vec<u8>) {
        let Some(base) = base else {
            return delta_coding::encode(&self.k, out);
        };
        let finer = base.grid.shift.min(self.grid.shift);
        let up = u32::from(self.grid.shift - finer);
        let base_up = u32::from(base.grid.shift - finer);
        let differences: Vec<i32> = self
            .k
            .iter()
            .zip(&base.k)
            .map(|(k, base)| (k << up).wrapping_sub(base << base_up))
            .collect();
        delta_coding::encode(&differences, out);
    }

    /// Returns the number of the version, increasing with every publication.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the accepted updates in it; 0 at a volunteer, which does not know them.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Returns the hash of its bits.
    pub fn hash(&self) -> VersionHash {
        self.hash
    }

    /// Returns the unit of its values.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Returns the values in steps of the grid, `[d]`.
    pub fn k(&self) -> &[i32] {
        &self.k
    }

    /// Returns the parameters as floats, `[d]`: the nearest, and the even one of two. Computed when first needed.
    pub fn parameters(&self) -> &Arc<[f32]> {
        self.parameters.get_or_init(|| self.floats().collect())
    }

    /// Replaces `x` by the parameters as floats, `[d]`.
    pub fn copy_parameters(&self, x: &mut Vec<f32>) {
        x.clear();
        x.extend(self.floats());
    }

    fn floats(&self) -> impl Iterator<Item = f32> {
        let step = self.grid.fixed_point.unit() * (1u32 << self.grid.shift) as f32;
        self.k.iter().map(move |k| *k as f32 * step)
    }
}

/// Compares the bits, of which the hash is a name.
impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        (self.number, self.accepted, self.hash) == (other.number, other.accepted, other.hash)
    }
}

/// Divides values by `2^shift`, which must divide each.
fn onto_grid(k: &mut [i32], shift: u8) -> Result<(), VersionError> {
    let mask = (1 << shift) - 1;
    if let Some(&found) = k.iter().find(|k| **k & mask != 0) {
        return Err(VersionError::OffGrid { shift, found });
    }
    k.iter_mut().for_each(|k| *k >>= shift);
    Ok(())
}

fn hash(grid: Grid, k: &[i32]) -> VersionHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[grid.fixed_point.fraction_bits(), grid.shift]);
    let magnitudes = k.iter().fold(0, |all, k| all | (k ^ k >> 31));
    match magnitudes {
        0..=0x7f => hash_values(&mut hasher, k, |k| (k as i8).to_le_bytes()),
        0x80..=0x7fff => hash_values(&mut hasher, k, |k| (k as i16).to_le_bytes()),
        _ => hash_values(&mut hasher, k, i32::to_le_bytes),
    }
    VersionHash(hasher.finalize().into())
}

fn hash_values<const N: usize>(
    hasher: &mut blake3::Hasher,
    k: &[i32],
    bytes_of: impl Fn(i32) -> [u8; N],
) {
    let mut bytes = [[0; N]; HASH_BLOCK];
    for block in k.chunks(HASH_BLOCK) {
        let bytes = &mut bytes[..block.len()];
        for (bytes, k) in bytes.iter_mut().zip(block) {
            *bytes = bytes_of(*k);
        }
        hasher.update(bytes.as_flattened());
    }
}

#[cfg(all(test, not(target_family = "wasm")))] // proptest does not run in a browser
mod tests;
