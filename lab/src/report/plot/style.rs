//! Colours, dashes and markers.

use plotters::style::RGBColor;

/// Letters and axes.
pub const INK: RGBColor = RGBColor(34, 34, 34);
/// Grid lines.
pub const GRID: RGBColor = RGBColor(222, 222, 222);
/// Lines from a curve to its label.
pub const LEADER: RGBColor = RGBColor(170, 170, 170);
/// Font family.
pub const FONT: &str = "sans-serif";
/// Font size, in units of plotters; 1.24 units are a pixel of the SVG.
pub const FONT_SIZE: u32 = 44;
/// Width of a curve in pixels.
pub const STROKE: u32 = 5;

/// Okabe and Ito (2008) without yellow, which is too pale on white, and black, which is reserved for references.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// Pixels of a dash and of the gap after it; `None` for a solid line. Their number and the number of colours are coprime, so
/// combinations repeat late.
const DASHES: [Option<(i32, i32)>; 5] = [
    None,
    Some((24, 12)),
    Some((6, 8)),
    Some((44, 12)),
    Some((12, 22)),
];

/// Shapes of markers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Marker {
    Disc,
    Square,
    Triangle,
    Cross,
}

const MARKERS: [Marker; 4] = [
    Marker::Disc,
    Marker::Square,
    Marker::Triangle,
    Marker::Cross,
];

/// The style of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineStyle {
    pub(super) colour: RGBColor,
    pub(super) dash: Option<(i32, i32)>,
    pub(super) marker: Option<Marker>,
    /// Whether a line joins the markers.
    pub(super) joined: bool,
}

impl LineStyle {
    /// Returns the style of the line with this number.
    pub fn numbered(number: usize) -> Self {
        Self {
            colour: COLOURS[number % COLOURS.len()],
            dash: DASHES[number % DASHES.len()],
            marker: Some(MARKERS[number % MARKERS.len()]),
            joined: true,
        }
    }

    /// Returns the style of a line in a group. Lines with the same number share a colour, lines of a group share dash and
    /// marker.
    pub fn in_group(number: usize, group: usize) -> Self {
        Self {
            colour: Self::numbered(number).colour,
            ..Self::numbered(group)
        }
    }

    /// Returns the style with markers only.
    #[must_use]
    pub fn scattered(self) -> Self {
        Self {
            joined: false,
            ..self
        }
    }

    /// Returns the style of references: black, dotted, without markers.
    pub fn reference() -> Self {
        Self {
            colour: INK,
            dash: Some((4, 10)),
            marker: None,
            joined: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_thirty_line_styles_differ() {
        for a in 0..30 {
            let same = (0..a).find(|&b| LineStyle::numbered(a) == LineStyle::numbered(b));
            assert_eq!(same, None, "line {a} has the style of an earlier line");
            assert_ne!(LineStyle::numbered(a), LineStyle::reference());
        }
    }
}
