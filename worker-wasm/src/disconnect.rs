//! The reasons for the end of a session, and the reaction to each.

use farsign::task::{Goodbye, GoodbyeReason};
use farsign::task_timing::TaskTiming;
use farsign::volunteer::VolunteerError;

use crate::events::State;

/// The reaction to the end of a session.
pub enum Disconnect {
    /// Reconnect after the server's delay in ms, or after the backoff's.
    Retry(Option<u32>, String),
    /// Reconnect after this delay in ms, because the volunteer's updates come too late.
    TooSlow(u32, String),
    /// Leave until the throttle's delay is over.
    Rest,
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

    /// Returns the reaction to a goodbye, and records a task that timed out.
    pub fn from_goodbye(goodbye: Goodbye, timing: &mut TaskTiming) -> Self {
        let reason = to_sentence(&goodbye.reason.to_string());
        match (goodbye.reason, goodbye.retry_after_ms) {
            (GoodbyeReason::RunFinished, _) => Self::End(State::Finished, reason),
            (GoodbyeReason::TaskTimeout, Some(delay_ms)) => match timing.record_timeout() {
                Some(slow) => {
                    let delay_ms = delay_ms.max(slow.delay_ms());
                    Self::TooSlow(delay_ms, to_sentence(&slow.to_string()))
                }
                None => Self::Retry(Some(delay_ms), reason),
            },
            (_, Some(delay_ms)) => Self::Retry(Some(delay_ms), reason),
            (_, None) => Self::End(State::Ejected, reason),
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

    #[test]
    fn repeated_timeouts_are_too_slow() {
        let mut timing = TaskTiming::default();
        timing.join(4_000);
        timing.record_update(9_100.0);
        let mut goodbye = || {
            let goodbye = Goodbye {
                reason: GoodbyeReason::TaskTimeout,
                retry_after_ms: Some(5_000),
            };
            Disconnect::from_goodbye(goodbye, &mut timing)
        };
        for _ in 0..2 {
            assert!(matches!(goodbye(), Disconnect::Retry(Some(5_000), _)));
        }
        let Disconnect::TooSlow(delay_ms, reason) = goodbye() else {
            panic!("the third timeout is not reported")
        };
        assert!(delay_ms > 5_000, "{delay_ms}");
        assert!(reason.starts_with("This machine is too slow"), "{reason}");
    }
}
