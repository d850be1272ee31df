//! The percentage of its time for which a volunteer receives work.
//!
//! Operators lower it to limit the CPU use or the traffic of volunteers. The server enforces it by delaying the next
//! task, so every client program complies without cooperating.
//!
//! ```text
//!   task --work--> update, acknowledged at once --delay--> next task       delay = work * (100 - effort) / effort
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use farsign::volunteer::MAX_TASK_DELAY_MS;

/// Longest delay, so that one slow update does not idle a volunteer for hours.
const MAX_DELAY: Duration = Duration::from_millis(MAX_TASK_DELAY_MS);

/// A percentage of a volunteer's time, 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort(u8);

impl Effort {
    /// All of the time: the next task is sent with the acknowledgement.
    pub const FULL: Self = Self(100);

    /// Returns the percentage, 1 to 100.
    pub fn percent(self) -> u8 {
        self.0
    }

    /// Returns the delay after `worked`; `None` at full effort.
    pub fn delay_after(self, worked: Duration) -> Option<Duration> {
        let work = u32::from(self.0);
        let idle = u32::from(100 - self.0);
        (idle > 0).then(|| (worked.min(MAX_DELAY) * idle / work).min(MAX_DELAY))
    }
}

impl Default for Effort {
    fn default() -> Self {
        Self::FULL
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// A text that is not an effort.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an effort of 1 to 100 percent, found {found:?}")]
pub struct ParseEffortError {
    found: String,
}

impl FromStr for Effort {
    type Err = ParseEffortError;

    fn from_str(text: &str) -> Result<Self, ParseEffortError> {
        match text.parse() {
            Ok(percent @ 1..=100) => Ok(Self(percent)),
            _ => Err(ParseEffortError {
                found: text.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effort(percent: &str) -> Effort {
        percent.parse().unwrap()
    }

    #[test]
    fn delay_is_proportional_to_work() {
        let worked = Duration::from_millis(20);
        assert_eq!(
            effort("25").delay_after(worked),
            Some(Duration::from_millis(60))
        );
        assert_eq!(effort("50").delay_after(worked), Some(worked));
        assert_eq!(effort("100").delay_after(worked), None);
    }

    #[test]
    fn delay_is_bounded() {
        assert_eq!(effort("1").delay_after(Duration::MAX), Some(MAX_DELAY));
    }

    #[test]
    fn effort_outside_1_to_100_fails() {
        for text in ["", "0", "101", "-1", "25.5", "25 %", "all"] {
            assert_eq!(
                text.parse::<Effort>(),
                Err(ParseEffortError {
                    found: text.to_owned()
                })
            );
        }
    }
}
