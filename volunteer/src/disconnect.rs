//! The end of a session: its cause, and what the worker does next.

use std::time::Duration;

use farsign::task::{Goodbye, GoodbyeReason};
use farsign::volunteer::VolunteerError;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::WorkerExit;

/// The reason why a session ended.
pub enum Disconnect {
    /// The connection was lost; the worker retries after its own backoff.
    Lost(String),
    /// The server requested a retry after this delay, in ms.
    RetryAfter(u32, GoodbyeReason),
    /// The worker rests for longer than a task may stay open.
    Rest(Duration),
    /// The line budget allows no task for this time.
    LineBudgetUsed(Duration),
    /// The server trains on other data than this worker has.
    OtherData,
    /// The worker does not reconnect.
    Exit(WorkerExit),
}

impl From<tungstenite::Error> for Disconnect {
    fn from(error: tungstenite::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<VolunteerError> for Disconnect {
    fn from(error: VolunteerError) -> Self {
        Self::Exit(WorkerExit::Failed(error))
    }
}

/// Interprets a close without a goodbye. After these codes a new session would end in the same way.
pub fn closed(close: Option<CloseFrame>) -> Disconnect {
    let ejected = |reason| Disconnect::Exit(WorkerExit::Ejected(reason));
    match close.map(|close| close.code) {
        Some(CloseCode::Protocol) => ejected(GoodbyeReason::Malformed),
        Some(CloseCode::Policy) => ejected(GoodbyeReason::TooManyRejects),
        Some(CloseCode::Size) => ejected(GoodbyeReason::Oversize),
        _ => Disconnect::Lost("the server closed the connection".to_owned()),
    }
}

/// Interprets a goodbye.
pub fn dismissed(goodbye: Goodbye) -> Disconnect {
    match (goodbye.reason, goodbye.retry_after_ms) {
        (GoodbyeReason::RunFinished, _) => Disconnect::Exit(WorkerExit::Finished),
        (reason, Some(delay_ms)) => Disconnect::RetryAfter(delay_ms, reason),
        (reason, None) => Disconnect::Exit(WorkerExit::Ejected(reason)),
    }
}
