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

/// Codes of a close, of RFC 6455, with which a server objects to something that the client would do again: a broken
/// protocol, a policy, a message that is too big.
const OBJECTIONS: [u16; 3] = [1002, 1008, 1009];

impl Cut {
    /// A connection was closed with this code, and without a goodbye.
    pub fn closed(code: u16) -> Self {
        if OBJECTIONS.contains(&code) {
            let reason = "The server, or something before it, closed the connection and would do so again";
            Self::End(State::Removed, format!("{reason} (code {code})."))
        } else {
            Self::Retry(None, "The connection to the server was lost.".to_owned())
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_objects_is_not_asked_again() {
        let ends = |code| matches!(Cut::closed(code), Cut::End(State::Removed, _));
        assert_eq!([1002, 1008, 1009].map(ends), [true; 3]);
        assert_eq!([1000, 1001, 1006, 1011, 1013].map(ends), [false; 5]);
    }
}
