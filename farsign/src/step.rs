//! One step of the model.

use crate::direction::{DirectionSpec, Directions};
use crate::fixed_point::FixedPoint;
use crate::sign::SignBits;

/// A step `x <- x + scale A' s` along the directions `A` of a seed, with each entry of `scale A` rounded to units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Seed of the directions `A`.
    pub direction_seed: u64,
    /// Minus the step size times the weight; finite.
    pub scale: f32,
    /// Signs `s`, one per direction.
    pub signs: SignBits,
}

impl Step {
    /// Takes the step from `x`, `[d]`, in place. Reseeds `directions`.
    ///
    /// Sums wrap around. The optimizer takes no step that could lead to that.
    pub fn take(&self, directions: &mut Directions, fixed_point: FixedPoint, x: &mut [i32]) {
        directions.reseed(self.direction_seed);
        let entry = |nonzeros| fixed_point.entry(self.scale, nonzeros);
        directions.accumulate(&self.signs, entry, x);
    }
}

/// Returns the most units by which a step of this scale can move a parameter.
pub(crate) fn reach(scale: f32, directions: DirectionSpec, fixed_point: FixedPoint) -> u64 {
    let reach = |(nonzeros, overlap)| {
        let entry = fixed_point.entry(scale, nonzeros);
        u64::from(entry.unsigned_abs()) * overlap as u64
    };
    directions.blocks().map(reach).max().unwrap_or(0)
}
