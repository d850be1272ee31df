//! Results as a table in the terminal.

use std::fmt::Write;
use std::path::PathBuf;

use crate::report::accuracy;
use crate::suite::output_dir::{OutputDir, OutputDirError};
use crate::suite::summary::{MethodSummary, Summary};

/// Returns the results of several output directories in one table.
///
/// # Errors
/// Returns an error if a directory has no results.
pub fn compare(dirs: &[PathBuf]) -> Result<String, OutputDirError> {
    let read = |path: &PathBuf| {
        let summary = OutputDir::existing(path).summary()?;
        Ok((path.display().to_string(), summary))
    };
    let results: Result<Vec<(String, Summary)>, OutputDirError> = dirs.iter().map(read).collect();
    Ok(table(&results?))
}

/// Returns one line for each method of each suite.
///
/// Columns: accuracy in percent without an attack, then under the worst attack by Byzantine fraction, simulated seconds to
/// 80 %, and the largest tolerated fraction.
pub fn table(results: &[(String, Summary)]) -> String {
    let mut fractions: Vec<f64> = Vec::new();
    for (_, summary) in results {
        let worst = summary.methods.iter().flat_map(|method| &method.worst);
        fractions.extend(worst.map(|worst| worst.byzantine_fraction));
    }
    fractions.sort_unstable_by(f64::total_cmp);
    fractions.dedup();
    let mut rows = vec![head(&fractions, results.len() > 1)];
    for name in distinct_names(results) {
        for (dir, summary) in results {
            if let Some(method) = summary.method(name) {
                let mut row = row(method, &fractions);
                if results.len() > 1 {
                    row.insert(1, dir.clone());
                }
                rows.push(row);
            }
        }
    }
    aligned(&rows)
}

fn distinct_names(results: &[(String, Summary)]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for method in results.iter().flat_map(|(_, summary)| &summary.methods) {
        if !names.contains(&method.name.as_str()) {
            names.push(&method.name);
        }
    }
    names
}

fn head(fractions: &[f64], with_dirs: bool) -> Vec<String> {
    let mut head = vec!["method".to_owned()];
    head.extend(with_dirs.then(|| "results".to_owned()));
    head.push("no attack".to_owned());
    head.extend(
        fractions
            .iter()
            .map(|fraction| format!("worst at {fraction}")),
    );
    head.extend(["s to 80 %".to_owned(), "tolerates".to_owned()]);
    head
}

fn row(method: &MethodSummary, fractions: &[f64]) -> Vec<String> {
    let mut row = vec![method.name.clone(), accuracy(method.clean.accuracy)];
    for fraction in fractions {
        let worst = method
            .worst
            .iter()
            .find(|worst| worst.byzantine_fraction == *fraction);
        row.push(worst.map_or_else(String::new, |w| {
            format!("{} {}", accuracy(w.accuracy), w.attack)
        }));
    }
    row.push(
        method
            .clean
            .target_s
            .map_or_else(String::new, |s| format!("{:.0}", s.mean)),
    );
    row.push(
        method
            .breaking_point
            .map_or_else(String::new, |fraction| format!("{fraction}")),
    );
    row
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(text, "{}", line.trim_end()).expect("writing to a String is infallible");
    }
    text
}
