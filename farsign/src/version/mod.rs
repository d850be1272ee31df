//! Published versions of the model, rounded to a grid.
//!
//! ```text
//!   x   parameters of the server, in units                       exact
//!   k   round(x / 2^grid)                                        the version: what volunteers compute on
//!   k_w - k_v  small integers                                    what travels from one version to the next
//! ```
//!
//! The step of the grid is a power of two units, proportional to how far the model moves while every volunteer sends one
//! update ([`GridSchedule`]). The difference of two versions therefore consists of small integers, whatever came between
//! them. Rounding needs no error feedback: its error is at most half a step at any time, since `x` stays exact.
//!
//! A version is named by the hash of its bits. Every volunteer that holds it holds the same bits, so an update can be
//! verified, and a volunteer can check what a cache or a relay delivered.

mod grid;
mod grid_schedule;
mod hash;

pub use grid::Grid;
pub use grid_schedule::GridSchedule;
pub use hash::{ParseVersionHashError, VersionHash};

use std::sync::{Arc, OnceLock};

use crate::delta_coding::{self, DeltaError};

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
    #[error("expected multiples of 2^{shift}, found others")]
    OffGrid { shift: u8 },
}

impl Version {
    /// Rounds the parameters `x`, `[d]`, to a grid; of two nearest multiples, the larger that `i32` can represent.
    pub fn round(number: u64, accepted: u64, x: &[i32], grid: Grid) -> Self {
        Self::new(number, accepted, grid, grid::round(x, grid.shift))
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
            grid::add_base(&mut k, grid.shift, &base.k, base.grid.shift)?;
        }
        Ok(Self::new(number, 0, grid, k))
    }

    fn new(number: u64, accepted: u64, grid: Grid, k: Vec<i32>) -> Self {
        Self {
            number,
            accepted,
            grid,
            hash: VersionHash::new(grid, &k),
            k,
            parameters: OnceLock::new(),
        }
    }

    /// Appends the coded differences from `base` to this version; `None` stands for zeros.
    pub fn write_differences(&self, base: Option<&Self>, out: &mut Vec<u8>) {
        let Some(base) = base else {
            return delta_coding::encode(&self.k, out);
        };
        let differences = grid::differences(&self.k, self.grid.shift, &base.k, base.grid.shift);
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

    /// Returns the version with another number of accepted updates, which is not part of its hash.
    #[must_use]
    pub fn with_accepted(self, accepted: u64) -> Self {
        Self { accepted, ..self }
    }

    /// Returns the parameters in units, `[d]`.
    pub fn units(&self) -> impl Iterator<Item = i32> {
        let shift = self.grid.shift;
        self.k.iter().map(move |k| k << shift)
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

#[cfg(all(test, not(target_family = "wasm")))] // proptest does not run in a browser
mod tests;
