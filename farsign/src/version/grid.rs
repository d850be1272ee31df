//! The grid of a version, and integers on it.

use super::VersionError;
use crate::fixed_point::FixedPoint;
use crate::simd::dispatch;

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

/// Rounds `x` to multiples of `2^shift`; of two nearest ones, to the larger that `i32` can represent.
pub(super) fn round(x: &[i32], shift: u8) -> Vec<i32> {
    let Some(below) = shift.checked_sub(1) else {
        return x.to_vec();
    };
    let max = i32::MAX >> shift;
    dispatch(
        #[inline(always)]
        move || {
            let rounded = x.iter().map(|x| ((x >> shift) + (x >> below & 1)).min(max));
            rounded.collect()
        },
    )
}

/// Returns `k - base` in steps of the finer of their grids, modulo `2^32`.
pub(super) fn differences(k: &[i32], shift: u8, base: &[i32], base_shift: u8) -> Vec<i32> {
    let finer = shift.min(base_shift);
    let up = shift - finer;
    let base_up = base_shift - finer;
    dispatch(
        #[inline(always)]
        move || {
            let pairs = k.iter().zip(base);
            pairs
                .map(|(k, base)| (k << up).wrapping_sub(base << base_up))
                .collect()
        },
    )
}

/// Adds the values of a base to differences in steps of the finer grid, and converts the sums to steps of `2^shift`.
///
/// # Errors
///
/// Returns an error if a sum is not a multiple of `2^shift`.
pub(super) fn add_base(
    k: &mut [i32],
    shift: u8,
    base: &[i32],
    base_shift: u8,
) -> Result<(), VersionError> {
    let finer = shift.min(base_shift);
    let up = base_shift - finer;
    let shift = shift - finer;
    let mask = (1 << shift) - 1;
    let sums = &mut *k;
    let off_grid = dispatch(
        #[inline(always)]
        move || {
            let mut off_grid = 0;
            for (k, base) in sums.iter_mut().zip(base) {
                let sum = k.wrapping_add(base << up);
                off_grid |= sum & mask;
                *k = sum >> shift;
            }
            off_grid
        },
    );
    if off_grid != 0 {
        return Err(VersionError::OffGrid { shift });
    }
    Ok(())
}
