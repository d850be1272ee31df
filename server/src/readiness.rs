//! `GET /readyz`: whether volunteers who come now are taken. `GET /healthz` only says that the process answers.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::app::App;

/// Why nobody is taken. The text is the body of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// A batch or a checkpoint is not on disk.
    #[error("the run cannot be saved")]
    Unsaved,
    /// The server was told to stop.
    #[error("the server is stopping")]
    Stopping,
    /// The host has paused the run.
    #[error("the run is paused")]
    Paused,
}

impl IntoResponse for Unready {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, self.to_string()).into_response()
    }
}

/// Whether volunteers who come now are taken.
///
/// # Errors
/// When they are not, the reason; of several, the one that takes most to end.
pub fn readiness(app: &App) -> Result<(), Unready> {
    match () {
        () if app.saved.as_ref().is_some_and(|saved| saved.failed.load(Ordering::Relaxed)) => {
            Err(Unready::Unsaved)
        }
        () if *app.stopping.borrow() => Err(Unready::Stopping),
        () if *app.admission.paused().borrow() => Err(Unready::Paused),
        () => Ok(()),
    }
}
