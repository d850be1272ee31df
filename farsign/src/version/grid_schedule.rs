//! The step of the grid, from how far the model moves.

use std::sync::Arc;

use super::Grid;
use crate::simd::dispatch;

/// The step of the grid over the root mean square of the model's move during a turn of the fleet.
///
/// At 2 the differences between two versions a turn apart have about 1.4 bits of entropy a parameter.
const STEP_OVER_MOVE: f64 = 2.0;

/// A schedule of grids: the step is the power of two that is nearest to twice the root mean square of the model's move
/// during the last turn of the fleet, that is as many updates as there are active volunteers.
#[derive(Clone, Debug, PartialEq)]
pub struct GridSchedule {
    /// Binary logarithm of the step in units.
    shift: u8,
    /// Parameters at the start of the turn, `[d]`.
    turn_start: Arc<[i32]>,
    /// Accepted updates at the start of the turn.
    turn_accepted: u64,
}

impl GridSchedule {
    /// Creates a schedule for parameters `x`, `[d]`, after `accepted` updates. `step` is the size of a step in units.
    pub fn new(x: &[i32], accepted: u64, step: u64) -> Self {
        Self {
            shift: nearest_power(STEP_OVER_MOVE * step as f64),
            turn_start: x.into(),
            turn_accepted: accepted,
        }
    }

    /// Returns the binary logarithm of the newest step.
    pub fn shift(&self) -> u8 {
        self.shift
    }

    /// Begins the next turn if the last is over, and returns the binary logarithm of the step for parameters `x`, `[d]`,
    /// after `accepted` updates, with `active` active volunteers.
    pub fn advance(&mut self, x: &[i32], accepted: u64, active: usize) -> u8 {
        if accepted >= self.turn_accepted + active.max(1) as u64 {
            let mean = squared_distance(x, &self.turn_start) / x.len() as f64;
            self.shift = nearest_power(STEP_OVER_MOVE * mean.sqrt());
            self.turn_start = x.into();
            self.turn_accepted = accepted;
        }
        self.shift
    }
}

/// Returns the sum of the squares of `x - y`, in an order of sums that is the same on every target.
fn squared_distance(x: &[i32], y: &[i32]) -> f64 {
    const LANES: usize = 8;
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (y, y_rest) = y.as_chunks::<LANES>();
    let square = |(x, y): (&i32, &i32)| {
        let moved = f64::from(*x) - f64::from(*y);
        moved * moved
    };
    let lanes = dispatch(
        #[inline(always)]
        move || {
            let mut lanes = [0.0; LANES];
            for (x, y) in x.iter().zip(y) {
                for lane in 0..LANES {
                    lanes[lane] += square((&x[lane], &y[lane]));
                }
            }
            lanes
        },
    );
    lanes.iter().sum::<f64>() + x_rest.iter().zip(y_rest).map(square).sum::<f64>()
}

/// Returns the binary logarithm of the power of two that is nearest to `step` in ratio; 0 below 1.
fn nearest_power(step: f64) -> u8 {
    (0..Grid::MAX_SHIFT)
        .find(|shift| step < std::f64::consts::SQRT_2 * f64::from(1u32 << shift))
        .unwrap_or(Grid::MAX_SHIFT)
}
