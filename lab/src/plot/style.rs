//! Colours, dashes and marks.

use plotters::style::RGBColor;

/// Letters and axes.
pub const INK: RGBColor = RGBColor(34, 34, 34);
/// Lines of the grid.
pub const GRID: RGBColor = RGBColor(222, 222, 222);
/// Lines from a curve to its name.
pub const LEADER: RGBColor = RGBColor(170, 170, 170);
/// The family of all letters.
pub const FONT: &str = "sans-serif";
/// Their size, in units of plotters, of which 1.24 are a pixel of the SVG.
pub const FONT_SIZE: u32 = 44;
/// Width of a curve in pixels.
pub const STROKE: u32 = 5;

/// Okabe and Ito (2008) without its yellow, which is too pale on white, and its black, which is for references.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// Pixels of a dash and of the gap after it; none: a whole line. As many as there are no colours, so that colour and dash
/// together repeat late.
const DASHES: [Option<(i32, i32)>; 5] = [None, Some((24, 12)), Some((6, 8)), Some((44, 12)), Some((12, 22))];

/// Forms of marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A disc.
    Disc,
    /// A square.
    Square,
    /// A triangle.
    Triangle,
    /// A cross.
    Cross,
}

const MARKS: [Mark; 4] = [Mark::Disc, Mark::Square, Mark::Triangle, Mark::Cross];

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub(super) colour: RGBColor,
    pub(super) dash: Option<(i32, i32)>,
    pub(super) mark: Option<Mark>,
    /// Whether there is a line at all, or marks only.
    pub(super) joined: bool,
}

impl Look {
    /// Of the line with this number.
    pub fn of(number: usize) -> Self {
        Self {
            colour: COLOURS[number % COLOURS.len()],
            dash: DASHES[number % DASHES.len()],
            mark: Some(MARKS[number % MARKS.len()]),
            joined: true,
        }
    }

    /// Of a line in one of several groups, where each line has fellows in the others: they share its colour, and the lines
    /// of a group their dashes and marks.
    pub fn in_group(number: usize, group: usize) -> Self {
        Self { colour: Self::of(number).colour, ..Self::of(group) }
    }

    /// The same with marks only.
    #[must_use]
    pub fn scattered(self) -> Self {
        Self { joined: false, ..self }
    }

    /// Of what others are compared with: black, dotted, without marks.
    pub fn reference() -> Self {
        Self { colour: INK, dash: Some((4, 10)), mark: None, joined: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_lines_look_different() {
        for a in 0..30 {
            let same = (0..a).find(|&b| Look::of(a) == Look::of(b));
            assert_eq!(same, None, "line {a} looks as an earlier one");
            assert_ne!(Look::of(a), Look::reference());
        }
    }
}
