//! Tables and numbers in Markdown.

use crate::summary::Spread;

/// What stands where nothing was measured.
pub const NOTHING: &str = "–";

/// A table, its first column aligned left and all others right.
pub fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = format!("|---|{}\n", "---:|".repeat(head.len() - 1));
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("{}{rule}{rows}\n", line(head))
}

/// A share as per cent, with as many digits as it needs, at most one.
pub fn percent(share: f64) -> String {
    let tenths = (share * 1000.0).round() / 10.0;
    format!("{tenths} %")
}

/// Mean and deviation of a share, in per cent with one digit.
pub fn accuracy(spread: Spread) -> String {
    format!("{:.1} ± {:.1}", 100.0 * spread.mean, 100.0 * spread.deviation)
}

/// Mean and deviation of a quantity, in whole numbers once it is large.
pub fn quantity(spread: Spread) -> String {
    let digits = usize::from(spread.mean.abs() < 100.0);
    format!("{:.digits$} ± {:.digits$}", spread.mean, spread.deviation)
}

/// The same, where there is one.
pub fn perhaps(spread: Option<Spread>) -> String {
    spread.map_or_else(|| NOTHING.to_owned(), quantity)
}

/// Owned cells.
pub fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}
