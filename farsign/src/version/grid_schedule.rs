//! The step of the grid, from how far the model moves.

use std::sync::Arc;

/// The step of the grid over the root mean square of the model's move during a turn of the fleet.
///
/// At 2 the differences between two versions a turn apart have about 1.4 bits of entropy a parameter.
const STEP_OVER_MOVE: f64 = 2.0;

/// A schedule of grids: the step is the power of two that is nearest to twice the root mean square of the model's move
/// during the last turn of the fleet, that is as many updates as there are active volunteers.
#[derive(Clone, Debug, PartialEq)]
pub struct GridSchedule(GridState);

/// The state of a [`GridSchedule`].
#[derive(Clone, Debug, PartialEq)]
pub struct GridState {
    /// Binary logarithm of the step in units.
    pub shift: u8,
    /// Parameters at the start of the turn, `[d]`.
    pub turn_start: Arc<[i32]>,
    /// Accepted updates at the start of the turn.
    pub turn_accepted: u64,
}

impl GridSchedule {
    /// Creates a schedule for parameters `x`, `[d]`, after `accepted` updates. `step` is the size of a step in units.
    pub fn new(x: &[i32], accepted: u64, step: u64) -> Self {
        Self(GridState {
            shift: nearest_power(STEP_OVER_MOVE * step as f64),
            turn_start: x.into(),
            turn_accepted: accepted,
        })
    }

    /// Continues from a state.
    pub fn restore(state: GridState) -> Self {
        Self(state)
    }

    /// Returns the state.
    pub fn state(&self) -> &GridState {
        &self.0
    }

    /// Returns the binary logarithm of the step for parameters `x`, `[d]`, after `accepted` updates, with `active`
    /// active volunteers.
    pub fn shift(&mut self, x: &[i32], accepted: u64, active: usize) -> u8 {
        let state = &mut self.0;
        if accepted >= state.turn_accepted + active.max(1) as u64 {
            let squares = x.iter().zip(state.turn_start.iter()).map(|(x, start)| {
                let moved = f64::from(*x) - f64::from(*start);
                moved * moved
            });
            let mean = squares.sum::<f64>() / x.len() as f64;
            state.shift = nearest_power(STEP_OVER_MOVE * mean.sqrt());
            state.turn_start = x.into();
            state.turn_accepted = accepted;
        }
        state.shift
    }
}

/// Returns the binary logarithm of the power of two that is nearest to `step` in ratio; 0 below 1.
fn nearest_power(step: f64) -> u8 {
    (0..super::Grid::MAX_SHIFT)
        .find(|shift| step < std::f64::consts::SQRT_2 * f64::from(1u32 << shift))
        .unwrap_or(super::Grid::MAX_SHIFT)
}
