//! Integer parameters: fixed-point numbers whose unit is a power of two.
//!
//! ```text
//!   value = x / 2^fraction_bits        x in i32
//! ```
//!
//! Every direction has entries of one size in a block, so each step adds integer multiples of its signs. Addition of
//! integers is exact, associative and commutative: a rollback removes exactly what a step added, and steps have the
//! same sum in any order and any grouping.
//!
//! # Examples
//!
//! ```
//! use farsign::fixed_point::FixedPoint;
//!
//! let fixed_point = FixedPoint::new(8).expect("at most 30 bits");
//! assert_eq!(fixed_point.quantize(&[0.5, -1.0])?, [128, -256]);
//! assert_eq!(fixed_point.dequantize(&[128, -256]), [0.5, -1.0]);
//! # Ok::<(), farsign::fixed_point::RangeError>(())
//! ```

use crate::direction::DirectionSpec;
use crate::math::larger;
use crate::schedule::{Decay, StepSize, WEIGHT_CAP};

/// Steps of full size that a run without a horizon can take in one direction before a parameter leaves its range.
const STEPS_WITHOUT_HORIZON: f64 = 1_048_576.0;

/// Smallest initial step in units. Smaller steps would be rounded by more than a 32nd of their size.
const MIN_STEP_UNITS: f64 = 16.0;

/// Unlikely to be exceeded by a sum of signs over its square root, however many signs there are.
const MAX_DEVIATIONS: f64 = 8.0;

/// The unit of a run's parameters, `2^-fraction_bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedPoint {
    fraction_bits: u8,
}

/// Parameters or steps that integers of 32 bits cannot represent.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum RangeError {
    /// An initial parameter that is not finite or too large.
    #[error("expected initial parameters of at most {max}, found {found}")]
    Parameter { found: f32, max: f64 },
    /// An initial step that the finest unit would round too much.
    #[error("expected an initial step of at least {min:e} along a coordinate, found {found:e}")]
    Step { found: f64, min: f64 },
    /// Steps that add up to much more than one of them.
    #[error(
        "expected a step size and a horizon whose steps add up to at most {max} initial steps, found {found}; choose a \
         shorter horizon or a smaller block of directions"
    )]
    Steps { found: f64, max: f64 },
}

impl FixedPoint {
    /// Largest number of fraction bits.
    pub const MAX_FRACTION_BITS: u8 = 30;

    /// Creates the unit `2^-fraction_bits`. `None` above [`Self::MAX_FRACTION_BITS`].
    pub fn new(fraction_bits: u8) -> Option<Self> {
        (fraction_bits <= Self::MAX_FRACTION_BITS).then_some(Self { fraction_bits })
    }

    /// Chooses the smallest unit in which the largest possible parameter of a run fits: the largest initial parameter of
    /// `x` plus the sum of all steps.
    ///
    /// A schedule without an end is counted as 2^20 initial steps, and directions with many entries as 8 standard
    /// deviations of a sum of random signs. [`crate::optimizer::FarSign`] rejects an update that would leave the range
    /// nevertheless.
    ///
    /// # Errors
    ///
    /// Returns an error if an initial parameter is not finite, or if an initial step would be less than 16 units.
    pub fn for_run(
        x: &[f32],
        step_size: StepSize,
        directions: DirectionSpec,
    ) -> Result<Self, RangeError> {
        let largest = x.iter().fold(0.0f32, |largest, x| {
            if x.is_nan() || x.abs() > largest {
                x.abs()
            } else {
                largest
            }
        });
        let steps = match step_size.decay {
            Decay::Cosine { horizon } => horizon / 2.0 + f64::from(WEIGHT_CAP),
            Decay::Constant | Decay::PowerLaw { .. } => STEPS_WITHOUT_HORIZON,
        };
        let root = f64::from(directions.nonzeros() as u32).sqrt();
        let reach = |(nonzeros, overlap): (usize, usize)| overlap as f64 / (nonzeros as f64).sqrt();
        let reach = directions.blocks().map(reach).fold(0.0, larger);
        let reach = if reach < MAX_DEVIATIONS {
            reach
        } else {
            MAX_DEVIATIONS
        };
        let range = f64::from(largest) + step_size.initial * steps * reach;
        let bits = (0..=Self::MAX_FRACTION_BITS)
            .rev()
            .find(|bits| range * exp2(*bits) < f64::from(i32::MAX));
        let Some(fraction_bits) = bits else {
            let max = f64::from(i32::MAX);
            return Err(RangeError::Parameter {
                found: largest,
                max,
            });
        };
        let entry = step_size.initial / root;
        let min = MIN_STEP_UNITS / exp2(Self::MAX_FRACTION_BITS);
        if entry < min {
            return Err(RangeError::Step { found: entry, min });
        }
        if entry * exp2(fraction_bits) < MIN_STEP_UNITS {
            return Err(RangeError::Steps {
                found: range / entry,
                max: f64::from(i32::MAX) / MIN_STEP_UNITS,
            });
        }
        Ok(Self { fraction_bits })
    }

    /// Returns the number of fraction bits.
    pub fn fraction_bits(self) -> u8 {
        self.fraction_bits
    }

    /// Rounds parameters to the nearest units.
    ///
    /// # Errors
    ///
    /// Returns an error if a parameter is not finite or leaves `i32`.
    pub fn quantize(self, parameters: &[f32]) -> Result<Vec<i32>, RangeError> {
        let scale = exp2(self.fraction_bits);
        let quantize = |&found: &f32| {
            let units = (f64::from(found) * scale).round_ties_even();
            if units.abs() <= f64::from(i32::MAX) {
                Ok(units as i32)
            } else {
                let max = f64::from(i32::MAX) / scale;
                Err(RangeError::Parameter { found, max })
            }
        };
        parameters.iter().map(quantize).collect()
    }

    /// Returns the parameters `x`, `[d]`, as floats: the nearest, and the even one of two.
    pub fn dequantize(self, x: &[i32]) -> Vec<f32> {
        let unit = self.unit();
        x.iter().map(|units| *units as f32 * unit).collect()
    }

    /// Returns the unit, a power of two.
    pub fn unit(self) -> f32 {
        (1.0 / exp2(self.fraction_bits)) as f32
    }

    /// Returns the nearest integer to `scale` times an entry of a direction with `nonzeros` entries of one size.
    pub(crate) fn entry(self, scale: f32, nonzeros: usize) -> i32 {
        let scaled = f64::from(scale) * exp2(self.fraction_bits);
        (scaled / f64::from(nonzeros as u32).sqrt()).round_ties_even() as i32
    }
}

fn exp2(bits: u8) -> f64 {
    f64::from(1u32 << bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direction::DirectionFamily;

    fn for_run(initial: f64, decay: Decay, family: DirectionFamily) -> Result<u8, RangeError> {
        let directions = DirectionSpec::new(family, 8192, 8192).unwrap();
        FixedPoint::for_run(&[0.1], StepSize { initial, decay }, directions)
            .map(FixedPoint::fraction_bits)
    }

    #[test]
    fn unit_fits_all_steps() {
        let cosine = |horizon| Decay::Cosine { horizon };
        // .1 + .0005 * 10,005 is below 2^3, and .1 + .0005 * 100,005 below 2^6.
        let coordinate = DirectionFamily::Coordinate;
        assert_eq!(for_run(5e-4, cosine(20_000.0), coordinate), Ok(28));
        assert_eq!(for_run(5e-4, cosine(200_000.0), coordinate), Ok(25));
        assert_eq!(for_run(5e-4, Decay::Constant, coordinate), Ok(21));
    }

    #[test]
    fn coarse_steps_are_refused() {
        let decay = Decay::Cosine { horizon: 1e9 };
        let error = for_run(5e-4, decay, DirectionFamily::Coordinate).unwrap_err();
        assert!(error.to_string().contains("shorter horizon"), "{error}");
    }

    #[test]
    fn tiny_steps_are_refused() {
        let error = for_run(1e-9, Decay::Constant, DirectionFamily::Coordinate).unwrap_err();
        assert!(error.to_string().contains("at least 1.49"), "{error}");
    }

    #[test]
    fn infinite_parameters_are_refused() {
        let fixed_point = FixedPoint::new(20).unwrap();
        for found in [f32::NAN, f32::INFINITY, 2048.0, -1e9] {
            assert!(fixed_point.quantize(&[0.0, found]).is_err(), "{found}");
        }
        assert_eq!(fixed_point.quantize(&[-2047.0]), Ok(vec![-2047 << 20]));
        let directions = DirectionSpec::new(DirectionFamily::Coordinate, 2, 2).unwrap();
        let step_size = StepSize {
            initial: 0.1,
            decay: Decay::Constant,
        };
        for found in [f32::NAN, f32::INFINITY] {
            assert!(FixedPoint::for_run(&[found, 0.0], step_size, directions).is_err());
            assert!(FixedPoint::for_run(&[0.0, found], step_size, directions).is_err());
        }
    }
}
