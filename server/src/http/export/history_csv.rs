//! The accuracy curve as comma-separated values.

use std::fmt::Write;

use crate::evaluation::Point;

/// Formats one line per point, oldest first, below a line of column names. Numbers have as many digits as needed to
/// distinguish them.
pub fn to_csv(points: &[Point]) -> String {
    let mut text = "accepted,elapsed_s,accuracy,loss\n".to_owned();
    for Point {
        accepted,
        elapsed_s,
        accuracy,
        loss,
    } in points
    {
        writeln!(text, "{accepted},{elapsed_s},{accuracy},{loss}")
            .expect("writing to a string succeeds");
    }
    text
}
