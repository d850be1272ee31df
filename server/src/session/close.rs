//! The end of a session: its reasons and the WebSocket close codes.

use std::error::Error;
use std::io::ErrorKind;

use axum::extract::ws::close_code;
use farsign::task::{Goodbye, GoodbyeReason};
use farsign::wire::WireError;
use tokio_tungstenite::tungstenite;

/// The reason for which a session ended.
pub(super) enum SessionEnd {
    /// The volunteer closed the connection, or the connection was lost.
    Left,
    /// The server ends the session with a goodbye.
    Goodbye(GoodbyeReason),
    /// The volunteer was not admitted.
    Rejected(Goodbye),
    /// The volunteer stopped reading, so nothing more can be sent.
    SlowReader,
}

impl SessionEnd {
    /// Returns the name for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Goodbye(reason) | Self::Rejected(Goodbye { reason, .. }) => reason.name(),
            Self::SlowReader => GoodbyeReason::SlowReader.name(),
        }
    }
}

impl From<WireError> for SessionEnd {
    fn from(error: WireError) -> Self {
        Self::Goodbye(match error {
            WireError::Version { .. } => GoodbyeReason::UnsupportedVersion,
            _ => GoodbyeReason::Malformed,
        })
    }
}

/// Returns the WebSocket close code of a reason.
pub(super) fn close_code_of(reason: GoodbyeReason) -> u16 {
    match reason {
        GoodbyeReason::UnsupportedVersion
        | GoodbyeReason::Malformed
        | GoodbyeReason::InvalidShards
        | GoodbyeReason::HelloMissing => close_code::PROTOCOL,
        GoodbyeReason::Oversize => close_code::SIZE,
        GoodbyeReason::TooManyRejects
        | GoodbyeReason::TooManyPings
        | GoodbyeReason::FailedVerification
        | GoodbyeReason::Banned
        | GoodbyeReason::InvalidToken
        | GoodbyeReason::SessionReplaced
        | GoodbyeReason::EjectedByOperator => close_code::POLICY,
        GoodbyeReason::ServerFull
        | GoodbyeReason::AddressFull
        | GoodbyeReason::TooManyJoins
        | GoodbyeReason::Paused => close_code::AGAIN,
        GoodbyeReason::ShuttingDown => close_code::AWAY,
        GoodbyeReason::TaskTimeout | GoodbyeReason::RunFinished | GoodbyeReason::SlowReader => {
            close_code::NORMAL
        }
    }
}

/// Returns whether the connection's own write timeout expired; it equals that of the session.
pub(super) fn is_timeout(error: &axum::Error) -> bool {
    let io = error
        .source()
        .and_then(|error| match error.downcast_ref::<tungstenite::Error>() {
            Some(tungstenite::Error::Io(error)) => Some(error.kind()),
            _ => None,
        });
    io == Some(ErrorKind::TimedOut)
}

/// Classifies a failed receive: the connection was lost, or the volunteer sent something invalid.
pub(super) fn classify_error(error: axum::Error) -> SessionEnd {
    match error
        .into_inner()
        .downcast::<tungstenite::Error>()
        .map(|error| *error)
    {
        Ok(tungstenite::Error::Capacity(_)) => SessionEnd::Goodbye(GoodbyeReason::Oversize),
        Ok(tungstenite::Error::Protocol(
            tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ))
        | Err(_) => SessionEnd::Left,
        Ok(tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_)) => {
            SessionEnd::Goodbye(GoodbyeReason::Malformed)
        }
        Ok(_) => SessionEnd::Left,
    }
}
