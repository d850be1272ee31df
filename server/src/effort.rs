//! How much of its time a volunteer is given work for.
//!
//! The host turns this down where volunteers should stay cool, or leave their line to others. The server does it by
//! itself: it holds the next task back, so that it holds for every program and needs nobody's consent.
//!
//! ```text
//!   task --worked--> answer, acknowledged at once --rest--> next task        rest = worked * (100 - effort) / effort
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use farsign::volunteer::MOST_REST_MS;

/// Longest rest, so that a volunteer that took long for one answer is not left alone for hours.
const MOST_REST: Duration = Duration::from_millis(MOST_REST_MS);

/// Percent of a volunteer's time, 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort(u8);

impl Effort {
    /// All of it: the next task comes with the acknowledgement.
    pub const FULL: Self = Self(100);

    /// Percent, 1 to 100.
    pub fn percent(self) -> u8 {
        self.0
    }

    /// How long to rest after so much work; none at full effort.
    pub fn rest(self, worked: Duration) -> Option<Duration> {
        let (work, rest) = (u32::from(self.0), u32::from(100 - self.0));
        (rest > 0).then(|| (worked.min(MOST_REST) * rest / work).min(MOST_REST))
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

/// Not an effort.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an effort of 1 to 100 percent, found {found:?}")]
pub struct NoEffort {
    /// What was there instead.
    found: String,
}

impl FromStr for Effort {
    type Err = NoEffort;

    fn from_str(text: &str) -> Result<Self, NoEffort> {
        match text.parse() {
            Ok(percent @ 1..=100) => Ok(Self(percent)),
            _ => Err(NoEffort { found: text.to_owned() }),
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
    fn a_quarter_of_the_effort_is_three_parts_rest_to_one_of_work() {
        let worked = Duration::from_millis(20);
        assert_eq!(effort("25").rest(worked), Some(Duration::from_millis(60)));
        assert_eq!(effort("50").rest(worked), Some(worked));
        assert_eq!(effort("100").rest(worked), None);
    }

    #[test]
    fn no_rest_is_endless() {
        assert_eq!(effort("1").rest(Duration::MAX), Some(MOST_REST));
    }

    #[test]
    fn only_percents_are_efforts() {
        for text in ["", "0", "101", "-1", "25.5", "25 %", "all"] {
            assert_eq!(text.parse::<Effort>(), Err(NoEffort { found: text.to_owned() }));
        }
    }
}
