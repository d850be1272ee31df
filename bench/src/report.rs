//! What was measured, and how it is written down.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::machine::Machine;

/// Everything measured in one run.
#[derive(Debug)]
pub struct Report<'a> {
    /// Where.
    pub machine: &'a Machine,
    /// What.
    pub sections: &'a [Section],
}

/// One part of the report.
#[derive(Debug)]
pub struct Section {
    /// Its name on the command line and in the document's markers.
    pub name: &'static str,
    /// Its heading.
    pub title: String,
    /// How it was measured and what limits it: a paragraph or two of Markdown.
    pub about: String,
    /// What was measured.
    pub rows: Vec<Row>,
    /// Figures over one another.
    pub ratios: Vec<Ratio>,
}

/// One thing measured: the median of several samples, with the smallest and the largest.
#[derive(Debug)]
pub struct Row {
    /// What it is.
    pub what: String,
    /// The middle of the samples; of an even number, the mean of the two in the middle.
    pub median: f64,
    /// The smallest sample.
    pub least: f64,
    /// The largest sample.
    pub most: f64,
    /// Unit of all three, such as `ms`.
    pub unit: &'static str,
}

/// One figure over another of the same run.
#[derive(Debug)]
pub struct Ratio {
    /// What over what.
    pub what: String,
    /// The quotient of the medians.
    pub value: f64,
    /// What it should be, such as `at most 1.5`; none where nothing is asked of it.
    pub wanted: Option<String>,
}

impl Row {
    /// The median, smallest and largest of samples, of which there is at least one.
    pub fn of(what: impl Into<String>, unit: &'static str, samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[middle]);
        Self { what: what.into(), median, least: sorted[0], most: sorted[sorted.len() - 1], unit }
    }
}

impl Ratio {
    /// The median of one row over that of another.
    pub fn of(what: impl Into<String>, over: &Row, under: &Row, wanted: Option<&str>) -> Self {
        let value = over.median / under.median;
        Self { what: what.into(), value, wanted: wanted.map(str::to_owned) }
    }
}

impl Section {
    /// Everything but the heading, in Markdown.
    pub fn body(&self) -> String {
        let mut text = format!("{}\n", self.about.trim());
        if !self.rows.is_empty() {
            text.push_str("\n| measured | median | least | most | unit |\n|---|---:|---:|---:|---|\n");
        }
        for Row { what, median, least, most, unit } in &self.rows {
            let [median, least, most] = [median, least, most].map(|value| figure(*value));
            _ = writeln!(text, "| {what} | {median} | {least} | {most} | {unit} |");
        }
        if !self.ratios.is_empty() {
            text.push_str("\n| ratio of medians | value | wanted |\n|---|---:|---|\n");
        }
        for Ratio { what, value, wanted } in &self.ratios {
            _ = writeln!(text, "| {what} | {} | {} |", figure(*value), wanted.as_deref().unwrap_or(""));
        }
        text
    }

    fn json(&self) -> Value {
        let row = |row: &Row| json!({ "what": row.what, "median": row.median, "least": row.least, "most": row.most, "unit": row.unit });
        let ratio =
            |ratio: &Ratio| json!({ "what": ratio.what, "value": ratio.value, "wanted": ratio.wanted });
        json!({
            "name": self.name,
            "title": self.title,
            "about": self.about,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "ratios": self.ratios.iter().map(ratio).collect::<Vec<_>>(),
        })
    }
}

impl Report<'_> {
    /// The report for people.
    pub fn markdown(&self) -> String {
        let mut text = "# Measured\n\n".to_owned();
        for (name, value) in &self.machine.facts {
            _ = writeln!(text, "- {name}: {value}");
        }
        for section in self.sections {
            _ = write!(text, "\n## {}\n\n{}", section.title, section.body());
        }
        text
    }

    /// The report for programs, with every digit.
    pub fn json(&self) -> Value {
        let facts: serde_json::Map<String, Value> =
            self.machine.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        json!({ "machine": facts, "sections": self.sections.iter().map(Section::json).collect::<Vec<_>>() })
    }
}

/// A number to three digits, and whole ones with all of them: `0.0123`, `1.23`, `12.3`, `1,234,567`.
fn figure(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if magnitude >= 3 {
        return thousands(value);
    }
    let decimals = (2 - magnitude).clamp(0, 9) as usize;
    format!("{value:.decimals$}")
}

/// Rounded, with commas.
fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    format!("{}{}", if value < 0.0 { "-" } else { "" }, groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Paths;

    #[test]
    fn a_row_is_the_median_of_its_samples_in_any_order() {
        let row = Row::of("steps", "ms", &[5.0, 1.0, 9.0]);
        assert_eq!((row.median, row.least, row.most), (5.0, 1.0, 9.0));
        assert_eq!(Row::of("steps", "ms", &[4.0, 1.0, 2.0, 100.0]).median, 3.0);
        assert_eq!(Row::of("steps", "ms", &[7.0]).median, 7.0);
    }

    #[test]
    fn figures_have_three_digits_and_large_ones_all() {
        let figures = [0.012_34, 1.234, 12.34, 123.4, 999.9, 1_234_567.8, -1234.0, 0.0].map(figure);
        assert_eq!(figures, ["0.0123", "1.23", "12.3", "123", "1000", "1,234,568", "-1,234", "0"]);
    }

    fn section() -> Section {
        let rows = vec![Row::of("ours", "ms", &[1.0, 2.0, 4.0]), Row::of("theirs", "ms", &[60.0])];
        let ratios = vec![Ratio::of("theirs over ours", &rows[1], &rows[0], Some("at least 20"))];
        Section { name: "x", title: "Steps".to_owned(), about: "How.".to_owned(), rows, ratios }
    }

    #[test]
    fn a_section_shows_its_rows_its_ratios_and_what_is_wanted() {
        let body = section().body();
        assert!(body.starts_with("How.\n\n| measured |"), "{body}");
        assert!(body.contains("\n| ours | 2.00 | 1.00 | 4.00 | ms |\n"), "{body}");
        assert!(body.ends_with("\n| theirs over ours | 30.0 | at least 20 |\n"), "{body}");
    }

    #[test]
    fn both_forms_of_a_report_say_what_machine_it_was() {
        let machine = Machine { paths: Paths::default(), facts: vec![("processor", "an abacus".to_owned())] };
        let report = Report { machine: &machine, sections: &[section()] };
        assert!(report.markdown().contains("- processor: an abacus\n\n## Steps\n\nHow."));
        let json = report.json();
        assert_eq!(json["machine"]["processor"], "an abacus");
        assert_eq!(json["sections"][0]["ratios"][0]["value"], 30.0);
    }
}
