//! Validation of settings, which collects all errors before it fails.

use std::fmt;

/// All errors of a configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(errors) = self;
        let plural = if errors.len() == 1 { "" } else { "s" };
        write!(f, "{} error{plural} in the configuration:", errors.len())?;
        errors
            .iter()
            .try_for_each(|error| write!(f, "\n  - {error}"))
    }
}

impl std::error::Error for ConfigErrors {}

/// A collector of errors while settings are read.
#[derive(Default)]
pub(super) struct Validator(Vec<String>);

impl Validator {
    /// Records an error.
    pub fn error(&mut self, error: String) {
        self.0.push(error);
    }

    /// Returns `value`, or records an error unless it is from `min` to `max`.
    pub fn in_range<T>(&mut self, name: &str, value: T, min: T, max: T, unit: &str) -> T
    where
        T: Copy + PartialOrd + fmt::Display,
    {
        if !(min..=max).contains(&value) {
            self.error(format!(
                "{}: expected {min} to {max}{unit}, found {value}",
                kebab(name)
            ));
        }
        value
    }

    /// Returns `value`, or records an error unless it is above 0 and at most `max`; `None` permits any finite value.
    pub fn positive<T>(&mut self, name: &str, value: T, max: Option<T>) -> T
    where
        T: Copy + Into<f64> + fmt::Display,
    {
        let number: f64 = value.into();
        let limit = max.map_or(f64::MAX, Into::into);
        if !(number > 0.0 && number <= limit) {
            let at_most = max.map_or(String::new(), |max| format!(" and at most {max}"));
            self.error(format!(
                "{}: expected a number above 0{at_most}, found {value}",
                kebab(name)
            ));
        }
        value
    }

    /// Returns the value, or records the error.
    pub fn ok<T, E: fmt::Display>(&mut self, name: &str, result: Result<T, E>) -> Option<T> {
        result
            .map_err(|error| self.error(format!("{name}: {error}")))
            .ok()
    }

    /// Returns `value` unless errors were recorded.
    ///
    /// # Errors
    /// Returns all recorded errors.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, ConfigErrors> {
        value
            .filter(|_| self.0.is_empty())
            .ok_or(ConfigErrors(self.0))
    }
}

/// Returns the name of a setting as flags and files spell it.
fn kebab(field: &str) -> String {
    field.replace('_', "-")
}
