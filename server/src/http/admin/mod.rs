//! `/api/v1/admin/`: the operator's API. docs/http-api.md documents it with examples.
//!
//! The API exists only on servers with an admin token. Every request must carry the token as a bearer token. Browsers
//! never add one on their own, so no other page can use its visitor's access.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{delete, get, post, put};
use axum::{Extension, Router};
use farsign::task::{GoodbyeReason, VolunteerId};

use crate::admission::TokenDigest;
use crate::admission::ban_file::BanFileError;
use crate::admission::bans::{Ban, ParseBanError};
use crate::effort::{Effort, ParseEffortError};
use crate::gateway::{EjectTarget, GatewayStopped};
use crate::state::AppState;

mod dto;
mod events;
mod pagination;

use crate::http::admin::dto::{EjectionRow, VolunteerRow};

/// Longest body of a request: a ban, as text.
const MAX_BODY_BYTES: usize = 256;

/// Routes the paths below `/api/v1/admin`. Returns an empty router if no token is set.
pub(super) fn router(token: Option<TokenDigest>) -> Router<Arc<AppState>> {
    let Some(token) = token else {
        return Router::new().fallback(async || StatusCode::NOT_FOUND);
    };
    Router::new()
        .route("/dashboard", get(events::stream))
        .route("/volunteers", get(volunteers))
        .route("/volunteers/{id}", delete(eject))
        .route("/volunteers/{id}/effort", put(set_volunteer_effort))
        .route("/effort", put(set_effort))
        .route("/ejections", get(ejections))
        .route("/bans", get(bans).post(ban))
        // An address ends with "/64", and a proxy under a path may decode the slash.
        .route("/bans/{kind}/{*value}", delete(unban))
        .route("/pause", post(pause))
        .route("/resume", post(resume))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(require_admin_token))
        .layer(Extension(token))
        .layer(Extension(events::StreamLimiter::default()))
}

async fn require_admin_token(
    Extension(token): Extension<TokenDigest>,
    request: Request,
    next: Next,
) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| bearer_token(value.as_bytes()));
    match given {
        Some(given) if token.matches(given) => next.run(request).await,
        _ => (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
        )
            .into_response(),
    }
}

/// Returns the token of an `Authorization` header. `None` if it has another scheme.
fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer "; // schemes ignore case
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    scheme
        .eq_ignore_ascii_case(SCHEME)
        .then(|| token.trim_ascii_start())
}

/// An error of a request.
#[derive(Debug, thiserror::Error)]
enum AdminError {
    #[error(transparent)]
    Stopping(#[from] GatewayStopped),
    #[error("")]
    NotFound,
    #[error(transparent)]
    Ban(#[from] ParseBanError),
    #[error(
        "the change applies now, but a restart would undo it: {0}; the server retries to write the file"
    )]
    NotSaved(#[from] BanFileError),
    #[error(transparent)]
    Effort(#[from] ParseEffortError),
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Stopping(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound => return StatusCode::NOT_FOUND.into_response(),
            Self::Ban(_) | Self::Effort(_) => StatusCode::BAD_REQUEST,
            Self::NotSaved(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.to_string()).into_response()
    }
}

async fn volunteers(
    State(state): State<Arc<AppState>>,
) -> Result<Json<Vec<VolunteerRow>>, AdminError> {
    let listing = state.gateway.list().await?;
    Ok(Json(
        listing
            .volunteers
            .into_iter()
            .map(VolunteerRow::from)
            .collect(),
    ))
}

async fn ejections(
    State(state): State<Arc<AppState>>,
) -> Result<Json<Vec<EjectionRow>>, AdminError> {
    let listing = state.gateway.list().await?;
    Ok(Json(
        listing
            .ejections
            .into_iter()
            .map(EjectionRow::from)
            .collect(),
    ))
}

async fn eject(
    State(state): State<Arc<AppState>>,
    Path(id): Path<u64>,
) -> Result<StatusCode, AdminError> {
    let target = EjectTarget::Volunteer(VolunteerId(id));
    match state
        .gateway
        .eject(target, GoodbyeReason::EjectedByOperator)
        .await?
    {
        0 => Err(AdminError::NotFound),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

async fn set_volunteer_effort(
    State(state): State<Arc<AppState>>,
    Path(id): Path<u64>,
    text: String,
) -> Result<StatusCode, AdminError> {
    match state
        .gateway
        .set_effort(Some(VolunteerId(id)), text.trim().parse()?)
        .await?
    {
        0 => Err(AdminError::NotFound),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

async fn set_effort(
    State(state): State<Arc<AppState>>,
    text: String,
) -> Result<StatusCode, AdminError> {
    let effort: Effort = text.trim().parse()?;
    state.gateway.set_effort(None, effort).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn bans(State(state): State<Arc<AppState>>) -> Json<Vec<String>> {
    Json(
        state
            .admission
            .list_bans()
            .iter()
            .map(Ban::to_string)
            .collect(),
    )
}

/// Adds a ban, ejects the volunteers that it concerns, and responds once the ban is in its file.
async fn ban(State(state): State<Arc<AppState>>, text: String) -> Result<StatusCode, AdminError> {
    let ban: Ban = text.trim().parse()?;
    state.admission.ban(ban);
    let target = match ban {
        Ban::Address(client) => EjectTarget::Address(client),
        Ban::Identity(identity) => EjectTarget::Identity(identity),
    };
    state.gateway.eject(target, GoodbyeReason::Banned).await?;
    state.admission.save_bans().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unban(
    State(state): State<Arc<AppState>>,
    Path((kind, value)): Path<(String, String)>,
) -> Result<StatusCode, AdminError> {
    if !state.admission.unban(format!("{kind} {value}").parse()?) {
        return Err(AdminError::NotFound);
    }
    state.admission.save_bans().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn pause(State(state): State<Arc<AppState>>) -> StatusCode {
    state.admission.pause(true);
    StatusCode::NO_CONTENT
}

async fn resume(State(state): State<Arc<AppState>>) -> StatusCode {
    state.admission.pause(false);
    StatusCode::NO_CONTENT
}
