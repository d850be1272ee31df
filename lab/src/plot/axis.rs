//! Axes: where a value lies, and where to write numbers.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Steps of numbers on a linear axis, times a power of ten.
const STEPS: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm. Values at or below 0 are not shown.
    Logarithmic,
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// How values lie.
    pub scale: Scale,
    /// Values that are on it at least.
    pub at_least: Option<(f64, f64)>,
}

/// An axis with its ends, in places: values, or their decadic logarithms.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    scale: Scale,
    /// First and last place.
    pub ends: (f64, f64),
    /// Places with a number.
    pub ticks: Vec<f64>,
}

impl Axis {
    /// One on which values lie evenly.
    pub fn linear(label: &str) -> Self {
        Self { label: label.to_owned(), scale: Scale::Linear, at_least: None }
    }

    /// One on which values lie by their logarithm.
    pub fn logarithmic(label: &str) -> Self {
        Self { label: label.to_owned(), scale: Scale::Logarithmic, at_least: None }
    }

    /// The same, with these values on it.
    #[must_use]
    pub fn with(self, from: f64, to: f64) -> Self {
        Self { at_least: Some((from, to)), ..self }
    }

    /// With ends that let it show all these values.
    pub fn place(&self, values: impl Iterator<Item = f64>) -> Placed {
        let shown = values.chain(self.at_least.into_iter().flat_map(|(from, to)| [from, to]));
        let places: Vec<f64> = shown.filter_map(|value| place(self.scale, value)).collect();
        let low = places.iter().copied().fold(f64::INFINITY, f64::min);
        let high = places.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low < high { (low, high) } else { middle(low) };
        match self.scale {
            Scale::Linear => linear(low, high),
            Scale::Logarithmic => logarithmic(low, high),
        }
    }
}

/// Ends around a single value, or around none.
fn middle(value: f64) -> (f64, f64) {
    if value.is_finite() { (value - 0.5, value + 0.5) } else { (0.0, 1.0) }
}

fn place(scale: Scale, value: f64) -> Option<f64> {
    match scale {
        Scale::Linear => value.is_finite().then_some(value),
        Scale::Logarithmic => (value > 0.0 && value.is_finite()).then(|| libm::log10(value)),
    }
}

fn linear(low: f64, high: f64) -> Placed {
    let magnitude = libm::pow(10.0, libm::floor(libm::log10(high - low)) - 1.0);
    let steps = STEPS.iter().flat_map(|step| [step * magnitude, step * magnitude * 10.0]);
    let fits = |step: &f64| (high - low) / step <= 6.0;
    let step = steps.filter(fits).fold(f64::INFINITY, f64::min);
    let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
    let ticks = (0..=(last - first) as usize).map(|n| (first + n as f64) * step).collect();
    Placed { scale: Scale::Linear, ends: (first * step, last * step), ticks }
}

/// Decades; if there are few of them, with 2 and 5 between.
fn logarithmic(low: f64, high: f64) -> Placed {
    let between: &[f64] = match high - low {
        width if width < 1.0 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
        width if width < 2.2 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let decades = low.floor() as i32..=high.ceil() as i32;
    let ticks =
        decades.flat_map(|decade| between.iter().map(move |step| f64::from(decade) + libm::log10(*step)));
    let ends = (low - 0.02 * (high - low), high + 0.02 * (high - low));
    let ticks = ticks.filter(|tick| (ends.0..=ends.1).contains(tick)).collect();
    Placed { scale: Scale::Logarithmic, ends, ticks }
}

impl Placed {
    /// Where a value lies; none if nowhere.
    pub fn place(&self, value: f64) -> Option<f64> {
        place(self.scale, value)
    }

    /// The number to write at a place.
    pub fn number(&self, place: f64) -> String {
        let value = if self.scale == Scale::Logarithmic { libm::pow(10.0, place) } else { place };
        if self.scale == Scale::Logarithmic && value > 9_999.0 && (place - place.round()).abs() < 1e-9 {
            return power_of_ten(place.round() as i32);
        }
        let step = self.ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(1.0, f64::min);
        let digits = match self.scale {
            Scale::Linear => (-libm::log10(step) - 1e-9).ceil().max(0.0) as usize,
            Scale::Logarithmic => (-libm::log10(value) + 0.999).floor().clamp(0.0, 6.0) as usize,
        };
        let digits = if self.scale == Scale::Logarithmic && (value - 1.5).abs() < 1e-9 { 1 } else { digits };
        grouped(&format!("{value:.digits$}"))
    }
}

impl Ranged for Placed {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (from, to): (i32, i32)) -> i32 {
        let part = (place - self.ends.0) / (self.ends.1 - self.ends.0);
        from + (part * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.ends.0..self.ends.1
    }
}

impl ValueFormatter<f64> for Placed {
    fn format_ext(&self, place: &f64) -> String {
        self.number(*place)
    }
}

/// Beside each other, large numbers would not have room.
fn power_of_ten(exponent: i32) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |digit: char| RAISED[digit.to_digit(10).expect("a number has digits") as usize];
    format!("10{}", exponent.to_string().chars().map(digit).collect::<String>())
}

/// With commas between thousands.
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
        let placed = axis.place(values.iter().copied());
        placed.ticks.iter().map(|tick| placed.number(*tick)).collect()
    }

    #[test]
    fn numbers_are_round_and_reach_around_all_values() {
        assert_eq!(numbers(Axis::linear(""), &[3.0, 88.0]), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(numbers(Axis::linear(""), &[0.15, 0.45]), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(numbers(Axis::linear(""), &[0.0, 1500.0]), ["0", "500", "1,000", "1,500"]);
        assert_eq!(numbers(Axis::logarithmic(""), &[2.0, 5000.0]), ["10", "100", "1,000"]);
        assert_eq!(
            numbers(Axis::logarithmic(""), &[0.01, 1.0]),
            ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]
        );
    }

    #[test]
    fn one_value_or_none_has_an_axis_too() {
        assert!(numbers(Axis::linear(""), &[7.0]).len() > 1);
        assert!(numbers(Axis::linear(""), &[]).len() > 1);
        assert_eq!(Axis::logarithmic("").place([0.0, -1.0].into_iter()).place(-1.0), None);
    }
}
