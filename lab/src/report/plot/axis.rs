//! Axes: positions of values, and ticks.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Steps of ticks on a linear axis, times a power of ten.
const STEPS: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

/// The scale of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Positions are proportional to values.
    Linear,
    /// Positions are proportional to logarithms. Values at or below 0 are omitted.
    Logarithmic,
}

/// An axis before it is fitted to values.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Label, with the unit.
    pub label: String,
    /// Scale.
    pub scale: Scale,
    /// Values that the axis always includes.
    pub included: Option<(f64, f64)>,
}

/// An axis with its ends. Positions are values, or their decadic logarithms.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedAxis {
    scale: Scale,
    /// First and last position.
    pub ends: (f64, f64),
    /// Positions of ticks.
    pub ticks: Vec<f64>,
}

impl Axis {
    /// Creates a linear axis.
    pub fn linear(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            scale: Scale::Linear,
            included: None,
        }
    }

    /// Creates a logarithmic axis.
    pub fn logarithmic(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            scale: Scale::Logarithmic,
            included: None,
        }
    }

    /// Returns the axis with these values included.
    #[must_use]
    pub fn including(self, from: f64, to: f64) -> Self {
        Self {
            included: Some((from, to)),
            ..self
        }
    }

    /// Fits the axis to these values.
    pub fn fit(&self, values: impl Iterator<Item = f64>) -> FittedAxis {
        let shown = values.chain(self.included.into_iter().flat_map(|(from, to)| [from, to]));
        let positions: Vec<f64> = shown
            .filter_map(|value| position(self.scale, value))
            .collect();
        let low = positions.iter().copied().fold(f64::INFINITY, f64::min);
        let high = positions.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low < high { (low, high) } else { around(low) };
        match self.scale {
            Scale::Linear => linear(low, high),
            Scale::Logarithmic => logarithmic(low, high),
        }
    }
}

/// Returns ends around a single value, or default ends.
fn around(value: f64) -> (f64, f64) {
    if value.is_finite() {
        (value - 0.5, value + 0.5)
    } else {
        (0.0, 1.0)
    }
}

fn position(scale: Scale, value: f64) -> Option<f64> {
    match scale {
        Scale::Linear => value.is_finite().then_some(value),
        Scale::Logarithmic => (value > 0.0 && value.is_finite()).then(|| libm::log10(value)),
    }
}

fn linear(low: f64, high: f64) -> FittedAxis {
    let magnitude = libm::pow(10.0, libm::floor(libm::log10(high - low)) - 1.0);
    let steps = STEPS
        .iter()
        .flat_map(|step| [step * magnitude, step * magnitude * 10.0]);
    let fits = |step: &f64| (high - low) / step <= 6.0;
    let step = steps.filter(fits).fold(f64::INFINITY, f64::min);
    let first = (low / step + 1e-9).floor();
    let last = (high / step - 1e-9).ceil();
    let ticks = (0..=(last - first) as usize)
        .map(|n| (first + n as f64) * step)
        .collect();
    FittedAxis {
        scale: Scale::Linear,
        ends: (first * step, last * step),
        ticks,
    }
}

/// Fits decades; with 2 and 5 between if there are few.
fn logarithmic(low: f64, high: f64) -> FittedAxis {
    let between: &[f64] = match high - low {
        width if width < 1.0 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
        width if width < 2.2 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let decades = low.floor() as i32..=high.ceil() as i32;
    let ticks = decades.flat_map(|decade| {
        between
            .iter()
            .map(move |step| f64::from(decade) + libm::log10(*step))
    });
    let ends = (low - 0.02 * (high - low), high + 0.02 * (high - low));
    let ticks = ticks
        .filter(|tick| (ends.0..=ends.1).contains(tick))
        .collect();
    FittedAxis {
        scale: Scale::Logarithmic,
        ends,
        ticks,
    }
}

impl FittedAxis {
    /// Returns the position of a value; `None` if the value is omitted.
    pub fn position(&self, value: f64) -> Option<f64> {
        position(self.scale, value)
    }

    /// Returns the label of a tick.
    pub fn tick_label(&self, position: f64) -> String {
        let value = if self.scale == Scale::Logarithmic {
            libm::pow(10.0, position)
        } else {
            position
        };
        if self.scale == Scale::Logarithmic
            && value > 9_999.0
            && (position - position.round()).abs() < 1e-9
        {
            return power_of_ten(position.round() as i32);
        }
        let step = self
            .ticks
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .fold(1.0, f64::min);
        let digits = match self.scale {
            Scale::Linear => (-libm::log10(step) - 1e-9).ceil().max(0.0) as usize,
            Scale::Logarithmic => (-libm::log10(value) + 0.999).floor().clamp(0.0, 6.0) as usize,
        };
        let digits = if self.scale == Scale::Logarithmic && (value - 1.5).abs() < 1e-9 {
            1
        } else {
            digits
        };
        grouped(&format!("{value:.digits$}"))
    }
}

impl Ranged for FittedAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, position: &f64, (from, to): (i32, i32)) -> i32 {
        let part = (position - self.ends.0) / (self.ends.1 - self.ends.0);
        from + (part * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.ends.0..self.ends.1
    }
}

impl ValueFormatter<f64> for FittedAxis {
    fn format_ext(&self, position: &f64) -> String {
        self.tick_label(*position)
    }
}

/// Formats a power of ten with an exponent, as large numbers would overlap.
fn power_of_ten(exponent: i32) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |digit: char| RAISED[digit.to_digit(10).expect("a number has digits") as usize];
    format!(
        "10{}",
        exponent.to_string().chars().map(digit).collect::<String>()
    )
}

/// Inserts commas between thousands.
fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
    let comma = |n: usize| n > 0 && (digits.len() - n).is_multiple_of(3);
    let grouped: String = digits
        .chars()
        .enumerate()
        .flat_map(|(n, digit)| comma(n).then_some(',').into_iter().chain([digit]))
        .collect();
    format!("{sign}{grouped}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(axis: Axis, values: &[f64]) -> Vec<String> {
        let fitted = axis.fit(values.iter().copied());
        fitted
            .ticks
            .iter()
            .map(|tick| fitted.tick_label(*tick))
            .collect()
    }

    #[test]
    fn ticks_are_round_and_cover_values() {
        assert_eq!(
            numbers(Axis::linear(""), &[3.0, 88.0]),
            ["0", "20", "40", "60", "80", "100"]
        );
        assert_eq!(
            numbers(Axis::linear(""), &[0.15, 0.45]),
            ["0.1", "0.2", "0.3", "0.4", "0.5"]
        );
        assert_eq!(
            numbers(Axis::linear(""), &[0.0, 1500.0]),
            ["0", "500", "1,000", "1,500"]
        );
        assert_eq!(
            numbers(Axis::logarithmic(""), &[2.0, 5000.0]),
            ["10", "100", "1,000"]
        );
        assert_eq!(
            numbers(Axis::logarithmic(""), &[0.01, 1.0]),
            ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]
        );
    }

    #[test]
    fn axis_fits_single_and_no_value() {
        assert!(numbers(Axis::linear(""), &[7.0]).len() > 1);
        assert!(numbers(Axis::linear(""), &[]).len() > 1);
        assert_eq!(
            Axis::logarithmic("")
                .fit([0.0, -1.0].into_iter())
                .position(-1.0),
            None
        );
    }
}
