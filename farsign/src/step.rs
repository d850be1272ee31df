//! One step of the model, as the server takes it and as a volunteer repeats it.

use crate::direction::Directions;
use crate::sign::SignBits;

/// `x <- x + scale A' s`, with the directions `A` of a seed.
///
/// A volunteer that has the parameters of an earlier version and the steps since then has the newest parameters, bit
/// for bit, because both sides run this one function.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Draws `A`.
    pub direction_seed: u64,
    /// Minus the step size times the weight; finite.
    pub scale: f32,
    /// One sign per direction, `s`.
    pub signs: SignBits,
}

impl Step {
    /// Takes the step from `x`, `[d]`.
    pub fn take(&self, directions: &mut Directions, x: &mut [f32]) {
        directions.reseed(self.direction_seed);
        directions.accumulate(&self.signs, self.scale, x);
    }
}
