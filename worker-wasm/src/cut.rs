//! Why a session cannot go on, and what follows from it.

use farsign::task::{Goodbye, GoodbyeReason};
use farsign::volunteer::VolunteerError;

use crate::report::State;

/// Why a session cannot go on.
pub enum Cut {
    /// Come back after the server's time, or after the backoff's.
    Retry(Option<u32>, String),
    /// In this state, until the person wants something else.
    End(State, String),
}

impl From<VolunteerError> for Cut {
    fn from(error: VolunteerError) -> Self {
        Self::End(State::Failed, format!("This volunteer could not go on: {error}."))
    }
}

impl From<Goodbye> for Cut {
    fn from(goodbye: Goodbye) -> Self {
        let reason = sentence(&goodbye.reason.to_string());
        match goodbye.retry_after_ms {
            _ if goodbye.reason == GoodbyeReason::RunFinished => Self::End(State::Finished, reason),
            Some(wait_ms) => Self::Retry(Some(wait_ms), reason),
            None => Self::End(State::Removed, reason),
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
