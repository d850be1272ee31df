//! The curve of a run as comma-separated values.

use std::fmt::Write;

use crate::evaluation::Point;

/// A line a point, oldest first, under a line with the names of the columns. The numbers are those of
/// [`Point`], with as many digits as tell them apart.
pub fn to_csv(points: &[Point]) -> String {
    let mut text = "accepted,elapsed_s,accuracy,loss\n".to_owned();
    for Point { accepted, elapsed_s, accuracy, loss } in points {
        writeln!(text, "{accepted},{elapsed_s},{accuracy},{loss}").expect("a string takes everything");
    }
    text
}
