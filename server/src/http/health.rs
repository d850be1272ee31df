//! `GET /readyz`: whether the server accepts volunteers. `GET /healthz` only shows that the process responds.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::state::AppState;

/// The reason for which the server accepts no volunteers. Its text is the body of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// A batch or a checkpoint could not be written.
    #[error("the run cannot be saved")]
    Unsaved,
    /// The server is shutting down.
    #[error("the server is stopping")]
    Stopping,
    /// The operator has paused the run.
    #[error("the run is paused")]
    Paused,
}

impl IntoResponse for NotReady {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, self.to_string()).into_response()
    }
}

/// Checks whether the server accepts volunteers.
///
/// # Errors
/// Returns the reason if it does not. Of several reasons it returns the one that takes most effort to resolve.
pub fn readiness(state: &AppState) -> Result<(), NotReady> {
    match () {
        () if state
            .journal
            .as_ref()
            .is_some_and(|journal| journal.failed.load(Ordering::Relaxed)) =>
        {
            Err(NotReady::Unsaved)
        }
        () if *state.shutdown.borrow() => Err(NotReady::Stopping),
        () if *state.admission.paused().borrow() => Err(NotReady::Paused),
        () => Ok(()),
    }
}

/// Handles `GET /readyz`.
pub(super) async fn readyz(State(state): State<Arc<AppState>>) -> Result<&'static str, NotReady> {
    readiness(&state).map(|()| "ready")
}
