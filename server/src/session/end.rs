//! How sessions end.

use std::error::Error;
use std::io::ErrorKind;

use axum::extract::ws::close_code;
use farsign::task::{Goodbye, GoodbyeReason};
use farsign::wire::WireError;
use tokio_tungstenite::tungstenite;

/// Why a session ended.
pub enum End {
    /// The volunteer closed it, or the connection broke.
    Left,
    /// The server ends it with a last word.
    Goodbye(GoodbyeReason),
    /// It was never let in.
    Refused(Goodbye),
    /// The volunteer does not read; nothing more can be said.
    Deaf,
}

impl End {
    /// Its name in the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Goodbye(reason) | Self::Refused(Goodbye { reason, .. }) => reason.name(),
            Self::Deaf => GoodbyeReason::SlowReader.name(),
        }
    }
}

impl From<WireError> for End {
    fn from(error: WireError) -> Self {
        Self::Goodbye(match error {
            WireError::Version { .. } => GoodbyeReason::UnsupportedVersion,
            _ => GoodbyeReason::Malformed,
        })
    }
}

/// The WebSocket's code for it.
pub fn close_code_of(reason: GoodbyeReason) -> u16 {
    match reason {
        GoodbyeReason::UnsupportedVersion | GoodbyeReason::Malformed | GoodbyeReason::NoHello => {
            close_code::PROTOCOL
        }
        GoodbyeReason::Oversize => close_code::SIZE,
        GoodbyeReason::TooManyRejects
        | GoodbyeReason::TooManyPings
        | GoodbyeReason::WrongAnswer
        | GoodbyeReason::Banned
        | GoodbyeReason::TokenWrong
        | GoodbyeReason::TakenOver
        | GoodbyeReason::Kicked => close_code::POLICY,
        GoodbyeReason::ServerFull
        | GoodbyeReason::AddressFull
        | GoodbyeReason::TooManyJoins
        | GoodbyeReason::Paused => close_code::AGAIN,
        GoodbyeReason::ShuttingDown => close_code::AWAY,
        GoodbyeReason::NoAnswer | GoodbyeReason::RunFinished | GoodbyeReason::SlowReader => {
            close_code::NORMAL
        }
    }
}

/// Whether the edge has given the connection up because nothing more could be written; it has the same patience.
pub fn is_timeout(error: &axum::Error) -> bool {
    let io = error.source().and_then(|error| match error.downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Io(error)) => Some(error.kind()),
        _ => None,
    });
    io == Some(ErrorKind::TimedOut)
}

/// A connection that fails has left, unless it failed because of what it sent.
pub fn broken(error: axum::Error) -> End {
    match error.into_inner().downcast::<tungstenite::Error>().map(|error| *error) {
        Ok(tungstenite::Error::Capacity(_)) => End::Goodbye(GoodbyeReason::Oversize),
        Ok(tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake))
        | Err(_) => End::Left,
        Ok(tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_)) => {
            End::Goodbye(GoodbyeReason::Malformed)
        }
        Ok(_) => End::Left,
    }
}
