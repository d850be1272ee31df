//! The slow timescale: the server's step on every accepted update.
//!
//! ```text
//!   plain   x <- x - alpha_n w_i sum_k a_k s_k
//!   vote    v <- v + min(1, gamma w_i) (s - v),   x <- x - alpha_n A' sign(v)
//!
//!   x        FarSign::x          parameters in units of a power of two, [d]
//!   n        FarSign::accepted   accepted updates
//!   W        FarSign::weight     sum of their weights; the clock of alpha
//!   alpha_n  StepSize::at(W)
//!   w_i      Activity::record    inverse-frequency weight of the sender, times its trust
//!   A, a_k   Directions          from the seed of the task
//!   s        SignBits            signs of the update
//!   v        FarSign::votes      moving average of the votes, [K]
//! ```
//!
//! There are no rounds: an update is applied on arrival, regardless of the age of the version it was computed at. It
//! moves each direction by at most `alpha_n * WEIGHT_CAP` (`plain`) or `alpha_n` (`vote`), regardless of its content.
//! The parameters are integers, so each step adds an integer multiple of its signs: [`crate::fixed_point`].
//! Differences from arXiv 2605.09337 (weights, the clock, `vote`) are listed in docs/algorithm.md.
//!
//! # Examples
//!
//! ```
//! use farsign::direction::{DirectionFamily, DirectionSpec};
//! use farsign::optimizer::{FarSign, FarSignOptions, Rule, SignUpdate};
//! use farsign::schedule::{Decay, StepSize};
//! use farsign::sign::SignBits;
//! use farsign::task::VolunteerId;
//!
//! let directions = DirectionSpec::new(DirectionFamily::Coordinate, 3, 3)?;
//! let step_size = StepSize { initial: 0.25, decay: Decay::Constant };
//! let options = FarSignOptions::new(&[0.0; 3], directions, step_size, Rule::Plain)?;
//! let mut optimizer = FarSign::new(options);
//! let signs = SignBits::from_bytes(&[0b101], 3)?; // + - +
//! let update = SignUpdate { volunteer: VolunteerId(1), direction_seed: 0, trust: 1.0, signs: &signs };
//! let applied = optimizer.apply(update)?;
//! assert_eq!((applied.update, applied.weight, applied.alpha), (1, 1.0, 0.25));
//! assert_eq!(optimizer.parameters(), [-0.25, 0.25, -0.25]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod state;

pub use state::{FarSignState, RestoreError};

use crate::direction::{DirectionSpec, Directions};
use crate::fixed_point::{FixedPoint, RangeError};
use crate::schedule::StepSize;
use crate::sign::SignBits;
use crate::step::{self, Step};
use crate::task::VolunteerId;
use crate::weighting::{Activity, WEIGHT_CAP};

/// The rule by which updates move the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Each update is applied directly, as a step of its own.
    Plain,
    /// Updates move a running vote, and steps follow its sign. Tasks share minibatches in windows, and directions for
    /// the whole run.
    Vote {
        /// Rate of the moving average of the votes, `gamma`, in `(0, 1]`.
        gamma: f32,
        /// Seed of the run's directions.
        direction_seed: u64,
    },
}

/// A volunteer's update for a task that it was assigned.
#[derive(Clone, Copy, Debug)]
pub struct SignUpdate<'a> {
    /// Sender of the update.
    pub volunteer: VolunteerId,
    /// Seed of the task's directions.
    pub direction_seed: u64,
    /// Factor on the weight of the sender, finite and above 0; 1 without verification.
    pub trust: f32,
    /// Signs, one per direction.
    pub signs: &'a SignBits,
}

/// The effect of an applied update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Applied {
    /// Its number among accepted updates, `n`, from 1.
    pub update: u64,
    /// Its weight, `w_i`, above 0.
    pub weight: f32,
    /// Its step size, `alpha_n`.
    pub alpha: f32,
}

/// An error in an update, which leaves the model unchanged.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ApplyError {
    /// Not one sign per direction.
    #[error("expected {expected} signs, found {found}")]
    SignCount { expected: usize, found: usize },
    /// A trust that is not finite or not above 0.
    #[error("expected a finite trust above 0, found {found}")]
    Trust { found: f32 },
    /// A step that could take a parameter out of the range of its integer.
    #[error("expected a step of at most {max} units, found {found}")]
    Reach { found: u64, max: u64 },
    /// The end of the schedule.
    #[error("the run is finished")]
    Finished,
}

/// An error in a rollback, which leaves the model unchanged.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum RollbackError {
    /// Not one sign per direction.
    #[error("expected {expected} signs, found {found}")]
    SignCount { expected: usize, found: usize },
    /// An infinite scale, or NaN.
    #[error("expected a finite scale, found {found}")]
    Scale { found: f32 },
    /// A step that could take a parameter out of the range of its integer.
    #[error("expected a step of at most {max} units, found {found}")]
    Reach { found: u64, max: u64 },
}

/// Options of an optimizer.
#[derive(Clone, Debug)]
pub struct FarSignOptions {
    /// Initial parameters in units, `[d]`.
    pub x: Vec<i32>,
    /// Unit of the parameters.
    pub fixed_point: FixedPoint,
    /// Directions of each update; `d` is the length of `x`.
    pub directions: DirectionSpec,
    /// Step size and its decay.
    pub step_size: StepSize,
    /// Rule by which updates move the model.
    pub rule: Rule,
}

impl FarSignOptions {
    /// Creates the options for initial parameters, `[d]`, in the unit that [`FixedPoint::for_run`] chooses.
    ///
    /// # Errors
    ///
    /// Returns an error if the parameters or the steps do not fit their integers.
    pub fn new(
        parameters: &[f32],
        directions: DirectionSpec,
        step_size: StepSize,
        rule: Rule,
    ) -> Result<Self, RangeError> {
        let fixed_point = FixedPoint::for_run(parameters, step_size, directions)?;
        Ok(Self {
            x: fixed_point.quantize(parameters)?,
            fixed_point,
            directions,
            step_size,
            rule,
        })
    }
}

/// The optimizer: the parameters and all state that determines the next step.
#[derive(Clone, Debug)]
pub struct FarSign {
    x: Vec<i32>,
    fixed_point: FixedPoint,
    /// Distance of every parameter from the ends of `i32`: at least this many units.
    room: u64,
    accepted: u64,
    weight: f64,
    activity: Activity,
    directions: Directions,
    step_size: StepSize,
    rule: Rule,
    /// `vote`: moving average of the votes, `[K]`; else empty.
    votes: Vec<f32>,
    /// Most recent step, in a buffer that is reused.
    last_step: Step,
}

impl FarSign {
    /// Creates an optimizer.
    ///
    /// # Panics
    ///
    /// Panics if the length of `x` is not the number of parameters in `directions`.
    pub fn new(options: FarSignOptions) -> Self {
        let FarSignOptions {
            x,
            fixed_point,
            directions,
            step_size,
            rule,
        } = options;
        assert_eq!(
            x.len(),
            directions.parameters(),
            "x and the directions have the same number of parameters"
        );
        let (votes, seed) = match rule {
            Rule::Plain => (Vec::new(), 0),
            Rule::Vote { direction_seed, .. } => (vec![0.0; directions.count()], direction_seed),
        };
        Self {
            x,
            fixed_point,
            room: 0,
            accepted: 0,
            weight: 0.0,
            activity: Activity::default(),
            directions: Directions::new(directions, seed),
            step_size,
            rule,
            votes,
            last_step: Step::default(),
        }
    }

    /// Adds a volunteer.
    pub fn join(&mut self, volunteer: VolunteerId) {
        self.activity.join(volunteer, self.accepted);
    }

    /// Removes a volunteer.
    pub fn leave(&mut self, volunteer: VolunteerId) {
        self.activity.leave(volunteer);
    }

    /// Applies an update.
    ///
    /// # Errors
    ///
    /// Returns an error if the number of signs is not `K`, the trust is not finite and above 0, the run is finished, or a
    /// parameter could leave its range. The state is unchanged then.
    pub fn apply(&mut self, update: SignUpdate<'_>) -> Result<Applied, ApplyError> {
        let expected = self.directions.spec().count();
        let found = update.signs.count();
        if found != expected {
            return Err(ApplyError::SignCount { expected, found });
        }
        if !(update.trust > 0.0 && update.trust.is_finite()) {
            return Err(ApplyError::Trust {
                found: update.trust,
            });
        }
        if self.is_finished() {
            return Err(ApplyError::Finished);
        }
        let alpha = self.step_size.at(self.weight);
        self.ensure_range(alpha * WEIGHT_CAP)
            .map_err(|(found, max)| ApplyError::Reach { found, max })?;
        let number = self.accepted + 1;
        let weight = self.activity.record(update.volunteer, number, update.trust);
        match self.rule {
            Rule::Plain => {
                self.last_step.direction_seed = update.direction_seed;
                self.last_step.scale = -alpha * weight;
                self.last_step.signs.clone_from(update.signs);
            }
            Rule::Vote {
                gamma,
                direction_seed,
            } => {
                self.vote(update.signs, gamma * weight);
                (self.last_step.direction_seed, self.last_step.scale) = (direction_seed, -alpha);
                self.last_step.signs.copy_from(&self.votes, self.accepted);
            }
        }
        self.take_last_step();
        self.accepted = number;
        self.weight += f64::from(weight);
        Ok(Applied {
            update: number,
            weight,
            alpha,
        })
    }

    /// Takes a step that reverses an earlier one in full or in part: its directions and signs, with a scale of the
    /// opposite sign.
    ///
    /// A rollback is not an update: it has no number and no weight, and the votes and the clock are unchanged.
    /// [`FarSign::last_step`] returns it, so that volunteers receive it as any other step.
    ///
    /// # Errors
    ///
    /// Returns an error if the number of signs is not `K`, the scale is not finite, or a parameter could leave its range.
    /// The state is unchanged then.
    pub fn rollback(&mut self, step: &Step) -> Result<(), RollbackError> {
        let expected = self.directions.spec().count();
        let found = step.signs.count();
        if found != expected {
            return Err(RollbackError::SignCount { expected, found });
        }
        if !step.scale.is_finite() {
            return Err(RollbackError::Scale { found: step.scale });
        }
        self.ensure_range(step.scale)
            .map_err(|(found, max)| RollbackError::Reach { found, max })?;
        (self.last_step.direction_seed, self.last_step.scale) = (step.direction_seed, step.scale);
        self.last_step.signs.clone_from(&step.signs);
        self.take_last_step();
        Ok(())
    }

    /// Ensures that no parameter leaves its range in a step of at most this scale. Returns reach and limit if one could.
    fn ensure_range(&mut self, scale: f32) -> Result<(), (u64, u64)> {
        let found = step::reach(scale, self.directions.spec(), self.fixed_point);
        if found > self.room {
            let largest = self
                .x
                .iter()
                .fold(0, |max: u32, x| max.max(x.unsigned_abs()));
            self.room = u64::from(i32::MAX as u32).saturating_sub(largest.into());
        }
        if found > self.room {
            return Err((found, self.room));
        }
        Ok(())
    }

    fn take_last_step(&mut self) {
        let spec = self.directions.spec();
        self.room -= step::reach(self.last_step.scale, spec, self.fixed_point);
        self.last_step
            .take(&mut self.directions, self.fixed_point, &mut self.x);
    }

    fn vote(&mut self, signs: &SignBits, rate: f32) {
        let rate = if rate < 1.0 { rate } else { 1.0 };
        signs.accumulate(&mut self.votes, move |v, s| v + rate * (s as f32 - v));
    }

    /// Returns the most recent step: that of the last accepted update, or of a rollback.
    pub fn last_step(&self) -> &Step {
        &self.last_step
    }

    /// Returns the parameters in units, `[d]`.
    pub fn x(&self) -> &[i32] {
        &self.x
    }

    /// Returns the parameters as floats, `[d]`.
    pub fn parameters(&self) -> Vec<f32> {
        self.fixed_point.dequantize(&self.x)
    }

    /// Returns the unit of the parameters.
    pub fn fixed_point(&self) -> FixedPoint {
        self.fixed_point
    }

    /// Returns the current size of a step of weight 1 along a direction, in units.
    pub fn step_units(&self) -> u64 {
        let nonzeros = self.directions.spec().nonzeros();
        let entry = self
            .fixed_point
            .entry(self.step_size.at(self.weight), nonzeros);
        entry.unsigned_abs().into()
    }

    /// Returns the number of signs of an update, `K`.
    pub fn directions(&self) -> usize {
        self.directions.spec().count()
    }

    /// Returns the number of accepted updates, `n`.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Returns the number of active volunteers, `N`.
    pub fn active(&self) -> usize {
        self.activity.active()
    }

    /// Returns the completed fraction of the schedule, 0 to 1; `None` if it has no end.
    pub fn progress(&self) -> Option<f64> {
        self.step_size.progress(self.weight)
    }

    /// Returns whether the schedule has ended. Further updates are rejected then.
    pub fn is_finished(&self) -> bool {
        self.progress() == Some(1.0)
    }
}

#[cfg(test)]
mod tests;
