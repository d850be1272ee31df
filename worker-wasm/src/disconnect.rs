//! The reasons for the end of a session, and the reaction to each.

use farsign::task::{Goodbye, GoodbyeReason};
use farsign::volunteer::VolunteerError;

use crate::events::State;

/// The reaction to the end of a session.
pub enum Disconnect {
    /// Reconnect after the server's delay in ms, or after the backoff's.
    Retry(Option<u32>, String),
    /// Stay in this state until the next command.
    End(State, String),
}

/// RFC 6455 close codes of rejections that a reconnect would repeat: protocol error, policy violation, message too big.
const REJECTION_CODES: [u16; 3] = [1002, 1008, 1009];

impl Disconnect {
    /// Returns the reaction to a close with this code and without a goodbye.
    pub fn from_close_code(code: u16) -> Self {
        if REJECTION_CODES.contains(&code) {
            let reason = "The server or a proxy rejected the connection and would do so again";
            Self::End(State::Ejected, format!("{reason} (code {code})."))
        } else {
            Self::Retry(None, "The connection to the server was lost.".to_owned())
        }
    }
}

/// Returns the reason for which a WebSocket was not opened. Browsers hide it from scripts, but a server that responds to
/// other requests is likely behind a proxy that does not pass WebSockets.
pub fn reason_not_opened(server_responds: bool) -> &'static str {
    if server_responds {
        "The server responds, but the WebSocket could not be opened. A proxy or firewall in between may not pass \
         WebSockets: the headers Upgrade, Connection and Host."
    } else {
        "The server does not respond."
    }
}

impl From<VolunteerError> for Disconnect {
    fn from(error: VolunteerError) -> Self {
        Self::End(State::Failed, format!("Training cannot continue: {error}."))
    }
}

impl From<Goodbye> for Disconnect {
    fn from(goodbye: Goodbye) -> Self {
        let reason = to_sentence(&goodbye.reason.to_string());
        match goodbye.retry_after_ms {
            _ if goodbye.reason == GoodbyeReason::RunFinished => Self::End(State::Finished, reason),
            Some(delay_ms) => Self::Retry(Some(delay_ms), reason),
            None => Self::End(State::Ejected, reason),
        }
    }
}

fn to_sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}.", first.to_uppercase(), letters.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejection_codes_end_the_session() {
        let ends = |code| {
            matches!(
                Disconnect::from_close_code(code),
                Disconnect::End(State::Ejected, _)
            )
        };
        assert_eq!([1002, 1008, 1009].map(ends), [true; 3]);
        assert_eq!([1000, 1001, 1006, 1011, 1013].map(ends), [false; 5]);
    }
}
