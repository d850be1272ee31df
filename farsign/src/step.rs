//! One step of the model, taken by the server and repeated by volunteers.

use crate::direction::Directions;
use crate::sign::SignBits;

/// A step `x <- x + scale A' s` along the directions `A` of a seed.
///
/// Server and volunteers call the same [`Step::take`]. A volunteer that applies all steps since an earlier version
/// therefore obtains the newest parameters bit for bit.
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
    pub fn take(&self, directions: &mut Directions, x: &mut [f32]) {
        directions.reseed(self.direction_seed);
        directions.accumulate(&self.signs, self.scale, x);
    }
}
