//! A number of bytes as people write it: `100MB`, `1.5 GB`, or `off`.

use std::str::FromStr;

use bytesize::ByteSize;
use farsign::line_budget::MIN_BYTES_PER_HOUR;

/// A line budget in bytes an hour, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteBudget(Option<u64>);

impl ByteBudget {
    /// No budget: any number of bytes.
    pub const OFF: Self = Self(None);

    /// Returns a budget of this many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(Some(bytes))
    }

    /// Returns the number of bytes; `None` without a budget.
    pub fn bytes(self) -> Option<u64> {
        self.0
    }
}

/// A text that is not a budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected at least {min} as in 100MB or 2GB, or `off`, found {found:?}", min = format_bytes(MIN_BYTES_PER_HOUR))]
pub struct ParseBudgetError {
    found: String,
}

impl FromStr for ByteBudget {
    type Err = ParseBudgetError;

    fn from_str(text: &str) -> Result<Self, ParseBudgetError> {
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("off") {
            return Ok(Self::OFF);
        }
        match trimmed.parse::<ByteSize>() {
            Ok(ByteSize(bytes)) if bytes >= MIN_BYTES_PER_HOUR => Ok(Self::new(bytes)),
            _ => Err(ParseBudgetError {
                found: text.to_owned(),
            }),
        }
    }
}

/// Formats bytes in decimal units, such as `12.3 MB`.
pub fn format_bytes(bytes: u64) -> String {
    ByteSize(bytes).display().si().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_decimal() {
        for (text, bytes) in [
            ("100MB", Some(100_000_000)),
            (" 1.5 GB ", Some(1_500_000_000)),
            ("2gb", Some(2_000_000_000)),
            ("1000000", Some(1_000_000)),
            ("off", None),
            ("OFF", None),
        ] {
            let budget: ByteBudget = text.parse().unwrap();
            assert_eq!(budget.bytes(), bytes, "{text:?}");
        }
    }

    #[test]
    fn other_budgets_are_rejected() {
        for text in [
            "", "0", "999kB", "-5MB", "MB", "many", "1e9", "inf", "NaN", "100 MB/h",
        ] {
            let error = text.parse::<ByteBudget>().unwrap_err().to_string();
            for part in ["1.0 MB", "off", text] {
                assert!(error.contains(part), "{part:?} in {error}");
            }
        }
    }
}
