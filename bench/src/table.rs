//! Tables of measurements: rows of one kind side by side.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::figure::figure;

/// A table of measurements.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Title, in Markdown.
    pub title: String,
    /// Columns after the first, which describes the row.
    pub columns: Vec<Column>,
    /// Rows, with one value a column.
    pub rows: Vec<TableRow>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// What was measured.
    pub what: String,
    /// Unit, such as `ms`.
    pub unit: String,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// Description.
    pub what: String,
    /// Values by column; `None` where nothing was measured.
    pub values: Vec<Option<f64>>,
}

impl Table {
    /// Creates a table without rows from its title and its columns, each with its unit.
    pub fn new(title: impl Into<String>, columns: &[(&str, &str)]) -> Self {
        let column = |&(what, unit): &(&str, &str)| Column {
            what: what.to_owned(),
            unit: unit.to_owned(),
        };
        Self {
            title: title.into(),
            columns: columns.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Returns a value; `None` if there is no such row or column, or nothing was measured.
    pub fn value(&self, row: &str, column: &str) -> Option<f64> {
        let row = self.rows.iter().find(|found| found.what == row)?;
        let column = self.columns.iter().position(|found| found.what == column)?;
        *row.values.get(column)?
    }

    /// Returns the table as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("**{}**\n\n| measurement |", self.title);
        for Column { what, unit } in &self.columns {
            _ = write!(text, " {what}, {unit} |");
        }
        _ = writeln!(text, "\n|---|{}", "---:|".repeat(self.columns.len()));
        for TableRow { what, values } in &self.rows {
            _ = write!(text, "| {what} |");
            for value in values {
                _ = write!(text, " {} |", value.map(figure).unwrap_or_default());
            }
            text.push('\n');
        }
        text
    }

    /// Returns the table as JSON, with full precision.
    pub fn json(&self) -> Value {
        let column = |Column { what, unit }: &Column| json!({ "what": what, "unit": unit });
        let row = |TableRow { what, values }: &TableRow| json!({ "what": what, "values": values });
        json!({
            "title": self.title,
            "columns": self.columns.iter().map(column).collect::<Vec<_>>(),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }

    /// Reads a table that [`Table::json`] wrote.
    ///
    /// # Errors
    ///
    /// Returns an error if a part is missing or is not what `json` writes.
    pub fn from_json(value: &Value) -> Result<Self> {
        let column = |value: &Value| {
            Ok(Column {
                what: text(value, "what")?,
                unit: text(value, "unit")?,
            })
        };
        let row = |value: &Value| {
            let values = list(value, "values")?;
            Ok(TableRow {
                what: text(value, "what")?,
                values: values.iter().map(Value::as_f64).collect(),
            })
        };
        let columns: Result<_> = list(value, "columns")?.iter().map(column).collect();
        let rows: Result<_> = list(value, "rows")?.iter().map(row).collect();
        Ok(Self {
            title: text(value, "title")?,
            columns: columns?,
            rows: rows?,
        })
    }
}

fn text(value: &Value, name: &str) -> Result<String> {
    let text = value[name].as_str();
    text.map(str::to_owned)
        .with_context(|| format!("expected a text `{name}`, found {}", value[name]))
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    let list = value[name].as_array();
    list.with_context(|| format!("expected a list `{name}`, found {}", value[name]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("Fleet", &[("updates", "per s"), ("busy", "%")]);
        table.rows.push(TableRow {
            what: "4 volunteers".to_owned(),
            values: vec![Some(9.5), None],
        });
        table
    }

    #[test]
    fn table_shows_units_and_gaps() {
        let expected = "**Fleet**\n\n| measurement | updates, per s | busy, % |\n|---|---:|---:|\n\
                        | 4 volunteers | 9.50 |  |\n";
        assert_eq!(table().markdown(), expected);
    }

    #[test]
    fn table_survives_json() {
        let table = table();
        assert_eq!(Table::from_json(&table.json()).unwrap(), table);
        let error = Table::from_json(&json!({ "title": "Fleet" })).unwrap_err();
        assert!(error.to_string().contains("columns"), "{error}");
    }

    #[test]
    fn value_is_found_by_names() {
        let table = table();
        assert_eq!(table.value("4 volunteers", "updates"), Some(9.5));
        assert_eq!(table.value("4 volunteers", "busy"), None);
        assert_eq!(table.value("5 volunteers", "updates"), None);
        assert_eq!(table.value("4 volunteers", "rests"), None);
    }
}
