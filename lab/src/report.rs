//! Results as a table for people.

use std::fmt::Write;
use std::path::PathBuf;

use crate::document::accuracy;
use crate::folder::{Folder, FolderError};
use crate::summary::{MethodSummary, Summary};

/// The results in several folders, side by side.
///
/// # Errors
/// When one has none.
pub fn compare(folders: &[PathBuf]) -> Result<String, FolderError> {
    let read = |path: &PathBuf| {
        let summary = Folder::existing(path).summary()?;
        Ok((path.display().to_string(), summary))
    };
    let results: Result<Vec<(String, Summary)>, FolderError> = folders.iter().map(read).collect();
    Ok(table(&results?))
}

/// A line for each method of each campaign: accuracy in per cent without liars, then under the worst attack share by
/// share, simulated seconds to 80 %, and the share up to which it stands.
pub fn table(results: &[(String, Summary)]) -> String {
    let mut shares: Vec<f64> = Vec::new();
    for (_, summary) in results {
        let all = summary.methods.iter().flat_map(|method| method.worst.iter().map(|worst| worst.share));
        shares.extend(all);
    }
    shares.sort_unstable_by(f64::total_cmp);
    shares.dedup();
    let mut rows = vec![head(&shares, results.len() > 1)];
    let names = distinct_names(results);
    for name in names {
        for (folder, summary) in results {
            if let Some(method) = summary.method(name) {
                let mut row = row(method, &shares);
                if results.len() > 1 {
                    row.insert(1, folder.clone());
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

fn head(shares: &[f64], with_folders: bool) -> Vec<String> {
    let mut head = vec!["method".to_owned()];
    head.extend(with_folders.then(|| "results".to_owned()));
    head.push("clean".to_owned());
    head.extend(shares.iter().map(|share| format!("worst at {share}")));
    head.extend(["s to 80 %".to_owned(), "stands up to".to_owned()]);
    head
}

fn row(method: &MethodSummary, shares: &[f64]) -> Vec<String> {
    let mut row = vec![method.name.clone(), accuracy(method.clean.accuracy)];
    for share in shares {
        let worst = method.worst.iter().find(|worst| worst.share == *share);
        row.push(worst.map_or_else(String::new, |w| format!("{} {}", accuracy(w.accuracy), w.attack)));
    }
    row.push(method.clean.target_s.map_or_else(String::new, |s| format!("{:.0}", s.mean)));
    row.push(method.breaking_point.map_or_else(String::new, |share| format!("{share}")));
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
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(text, "{}", line.trim_end()).expect("a String takes everything");
    }
    text
}
