//! Measurements and their formatting as Markdown and JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::figure::figure;
use crate::machine::Machine;
use crate::table::Table;

/// A report of one run.
#[derive(Debug)]
pub struct Report<'a> {
    /// Machine of the measurements.
    pub machine: &'a Machine,
    /// Measured sections.
    pub sections: &'a [Section],
}

/// A section of a report.
#[derive(Debug)]
pub struct Section {
    /// Name on the command line and in the document's markers.
    pub name: &'static str,
    /// Heading.
    pub title: String,
    /// Method and bottleneck: a few paragraphs of Markdown.
    pub about: String,
    /// Measurements that are compared side by side.
    pub tables: Vec<Table>,
    /// Single measurements.
    pub rows: Vec<Row>,
    /// Ratios of measurements.
    pub ratios: Vec<Ratio>,
}

/// A measurement: the median of several samples, with the smallest and the largest.
#[derive(Debug)]
pub struct Row {
    /// Description.
    pub what: String,
    /// Median sample; for an even number, the mean of the two in the middle.
    pub median: f64,
    /// Smallest sample.
    pub min: f64,
    /// Largest sample.
    pub max: f64,
    /// Unit, such as `ms`.
    pub unit: &'static str,
}

/// A ratio of two measurements of the same run.
#[derive(Debug)]
pub struct Ratio {
    /// Description.
    pub what: String,
    /// Quotient of the medians.
    pub value: f64,
    /// Target, such as `at most 1.5`. `None` without a target.
    pub target: Option<String>,
}

impl Row {
    /// Creates a measurement from at least one sample.
    pub fn new(what: impl Into<String>, unit: &'static str, samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[middle]);
        Self {
            what: what.into(),
            median,
            min: sorted[0],
            max: sorted[sorted.len() - 1],
            unit,
        }
    }

    fn json(&self) -> Value {
        let Self {
            what,
            median,
            min,
            max,
            unit,
        } = self;
        json!({ "what": what, "median": median, "min": min, "max": max, "unit": unit })
    }
}

impl Ratio {
    /// Creates the ratio of two medians.
    pub fn new(what: impl Into<String>, over: &Row, under: &Row, target: Option<&str>) -> Self {
        let value = over.median / under.median;
        Self {
            what: what.into(),
            value,
            target: target.map(str::to_owned),
        }
    }
}

impl Section {
    /// Returns the section without its heading, as Markdown.
    pub fn body(&self) -> String {
        let mut text = format!("{}\n", self.about.trim());
        for table in &self.tables {
            _ = write!(text, "\n{}", table.markdown());
        }
        if !self.rows.is_empty() {
            text.push_str(
                "\n| measurement | median | min | max | unit |\n|---|---:|---:|---:|---|\n",
            );
        }
        for Row {
            what,
            median,
            min,
            max,
            unit,
        } in &self.rows
        {
            let [median, min, max] = [median, min, max].map(|value| figure(*value));
            _ = writeln!(text, "| {what} | {median} | {min} | {max} | {unit} |");
        }
        if !self.ratios.is_empty() {
            text.push_str("\n| ratio of medians | value | target |\n|---|---:|---|\n");
        }
        for Ratio {
            what,
            value,
            target,
        } in &self.ratios
        {
            _ = writeln!(
                text,
                "| {what} | {} | {} |",
                figure(*value),
                target.as_deref().unwrap_or("")
            );
        }
        text
    }

    fn json(&self) -> Value {
        let ratio = |ratio: &Ratio| json!({ "what": ratio.what, "value": ratio.value, "target": ratio.target });
        json!({
            "name": self.name,
            "title": self.title,
            "about": self.about,
            "tables": self.tables.iter().map(Table::json).collect::<Vec<_>>(),
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "ratios": self.ratios.iter().map(ratio).collect::<Vec<_>>(),
        })
    }
}

impl Report<'_> {
    /// Returns the report as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = "# Benchmarks\n\n".to_owned();
        for (name, value) in &self.machine.facts {
            _ = writeln!(text, "- {name}: {value}");
        }
        for section in self.sections {
            _ = write!(text, "\n## {}\n\n{}", section.title, section.body());
        }
        text
    }

    /// Returns the report as JSON, with full precision.
    pub fn json(&self) -> Value {
        let facts: serde_json::Map<String, Value> = self
            .machine
            .facts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        json!({ "machine": facts, "sections": self.sections.iter().map(Section::json).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Paths;

    #[test]
    fn row_is_median_of_samples() {
        let row = Row::new("steps", "ms", &[5.0, 1.0, 9.0]);
        assert_eq!((row.median, row.min, row.max), (5.0, 1.0, 9.0));
        assert_eq!(Row::new("steps", "ms", &[4.0, 1.0, 2.0, 100.0]).median, 3.0);
        assert_eq!(Row::new("steps", "ms", &[7.0]).median, 7.0);
    }

    fn section() -> Section {
        let rows = vec![
            Row::new("ours", "ms", &[1.0, 2.0, 4.0]),
            Row::new("theirs", "ms", &[60.0]),
        ];
        let ratios = vec![Ratio::new(
            "theirs over ours",
            &rows[1],
            &rows[0],
            Some("at least 20"),
        )];
        Section {
            name: "x",
            title: "Steps".to_owned(),
            about: "Method.".to_owned(),
            tables: Vec::new(),
            rows,
            ratios,
        }
    }

    #[test]
    fn section_body_lists_rows_and_ratios() {
        let body = section().body();
        assert!(body.starts_with("Method.\n\n| measurement |"), "{body}");
        assert!(
            body.contains("\n| ours | 2.00 | 1.00 | 4.00 | ms |\n"),
            "{body}"
        );
        assert!(
            body.ends_with("\n| theirs over ours | 30.0 | at least 20 |\n"),
            "{body}"
        );
    }

    #[test]
    fn reports_name_the_machine() {
        let machine = Machine {
            paths: Paths::default(),
            quick: false,
            facts: vec![("processor", "an abacus".to_owned())],
        };
        let report = Report {
            machine: &machine,
            sections: &[section()],
        };
        assert!(
            report
                .markdown()
                .contains("- processor: an abacus\n\n## Steps\n\nMethod.")
        );
        let json = report.json();
        assert_eq!(json["machine"]["processor"], "an abacus");
        assert_eq!(json["sections"][0]["ratios"][0]["value"], 30.0);
    }
}
