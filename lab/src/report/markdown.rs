//! Tables and numbers in Markdown.

use crate::stats::MeanStd;

/// The cell of a missing value.
pub const MISSING: &str = "–";

/// Returns a table with its first column aligned left and all others right.
pub fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = format!("|---|{}\n", "---:|".repeat(head.len() - 1));
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("{}{rule}{rows}\n", line(head))
}

/// Returns a fraction in percent, with at most one decimal.
pub fn percent(fraction: f64) -> String {
    let tenths = (fraction * 1000.0).round() / 10.0;
    format!("{tenths} %")
}

/// Returns mean and deviation of a fraction, in percent with one decimal.
pub fn accuracy(value: MeanStd) -> String {
    format!("{:.1} ± {:.1}", 100.0 * value.mean, 100.0 * value.deviation)
}

/// Returns mean and deviation of a fraction, in percent with two decimals.
pub fn accuracy_in_hundredths(value: MeanStd) -> String {
    format!("{:.2} ± {:.2}", 100.0 * value.mean, 100.0 * value.deviation)
}

/// Returns mean and deviation of a quantity, without decimals from 100.
pub fn quantity(value: MeanStd) -> String {
    let digits = usize::from(value.mean.abs() < 100.0);
    format!("{:.digits$} ± {:.digits$}", value.mean, value.deviation)
}

/// Returns the quantity, or [`MISSING`].
pub fn optional_quantity(value: Option<MeanStd>) -> String {
    value.map_or_else(|| MISSING.to_owned(), quantity)
}

/// Returns owned cells.
pub fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}
