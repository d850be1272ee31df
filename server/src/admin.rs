//! `/api/v1/admin/`: what the host can see and do while the server runs. docs/hosting.md lists it with examples.
//!
//! There is no such thing on a server without an admin token. With one, every request has to bring it as a bearer token;
//! no browser adds that by itself, so no page can use its visitor to get in.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{delete, get, post, put};
use axum::{Extension, Router};
use farsign::task::{GoodbyeReason, VolunteerId};

use crate::admission::Token;
use crate::admission::bans::{Ban, NoBan};
use crate::app::App;
use crate::coordinator::{Stopped, Whom};
use crate::effort::{Effort, NoEffort};

mod dashboard;
mod rows;
mod window;

use rows::{RemovalRow, VolunteerRow};

/// Longest body of a request: a ban, as text.
const BODY_BYTES: usize = 256;

/// The admin's paths, relative to `/api/v1/admin`; without a token, none.
pub fn router(token: Option<Token>) -> Router<Arc<App>> {
    let Some(token) = token else { return Router::new().fallback(async || StatusCode::NOT_FOUND) };
    Router::new()
        .route("/dashboard", get(dashboard::stream))
        .route("/volunteers", get(volunteers))
        .route("/removals", get(removals))
        .route("/volunteers/{id}", delete(kick))
        .route("/bans", get(bans).post(ban))
        .route("/bans/{kind}/{what}", delete(lift))
        .route("/volunteers/{id}/effort", put(effort_of_one))
        .route("/effort", put(effort_of_all))
        .route("/pause", post(pause))
        .route("/resume", post(resume))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn(only_the_host))
        .layer(Extension(token))
        .layer(Extension(dashboard::Places::default()))
}

async fn only_the_host(Extension(token): Extension<Token>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match given.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(given) if token.is(given.as_bytes()) => next.run(request).await,
        _ => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response(),
    }
}

/// Why a request was not done.
enum AdminError {
    Stopping,
    NotThere,
    NoBan(NoBan),
    NoEffort(NoEffort),
}

impl From<Stopped> for AdminError {
    fn from(_: Stopped) -> Self {
        Self::Stopping
    }
}

impl From<NoBan> for AdminError {
    fn from(error: NoBan) -> Self {
        Self::NoBan(error)
    }
}

impl From<NoEffort> for AdminError {
    fn from(error: NoEffort) -> Self {
        Self::NoEffort(error)
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        match self {
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, Stopped.to_string()).into_response(),
            Self::NotThere => StatusCode::NOT_FOUND.into_response(),
            Self::NoBan(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
            Self::NoEffort(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        }
    }
}

async fn volunteers(State(app): State<Arc<App>>) -> Result<Json<Vec<VolunteerRow>>, AdminError> {
    let roster = app.coordinator.roster().await?;
    Ok(Json(roster.volunteers.into_iter().map(VolunteerRow::from).collect()))
}

async fn removals(State(app): State<Arc<App>>) -> Result<Json<Vec<RemovalRow>>, AdminError> {
    let roster = app.coordinator.roster().await?;
    Ok(Json(roster.removals.into_iter().map(RemovalRow::from).collect()))
}

async fn kick(State(app): State<Arc<App>>, Path(id): Path<u64>) -> Result<StatusCode, AdminError> {
    match app.coordinator.remove(Whom::Volunteer(VolunteerId(id)), GoodbyeReason::Kicked).await? {
        0 => Err(AdminError::NotThere),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

async fn effort_of_one(
    State(app): State<Arc<App>>,
    Path(id): Path<u64>,
    text: String,
) -> Result<StatusCode, AdminError> {
    match app.coordinator.set_effort(Some(VolunteerId(id)), text.trim().parse()?).await? {
        0 => Err(AdminError::NotThere),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

async fn effort_of_all(State(app): State<Arc<App>>, text: String) -> Result<StatusCode, AdminError> {
    let effort: Effort = text.trim().parse()?;
    app.coordinator.set_effort(None, effort).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn bans(State(app): State<Arc<App>>) -> Json<Vec<String>> {
    Json(app.admission.list_bans().iter().map(Ban::to_string).collect())
}

/// Bans, and ends the sessions that the ban is about.
async fn ban(State(app): State<Arc<App>>, text: String) -> Result<StatusCode, AdminError> {
    let ban: Ban = text.trim().parse()?;
    app.admission.ban(ban);
    let whom = match ban {
        Ban::Address(network) => Whom::Network(network),
        Ban::Identity(identity) => Whom::Identity(identity),
    };
    app.coordinator.remove(whom, GoodbyeReason::Banned).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn lift(
    State(app): State<Arc<App>>,
    Path((kind, what)): Path<(String, String)>,
) -> Result<StatusCode, AdminError> {
    if app.admission.lift(format!("{kind} {what}").parse()?) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(AdminError::NotThere)
    }
}

async fn pause(State(app): State<Arc<App>>) -> StatusCode {
    app.admission.pause(true);
    StatusCode::NO_CONTENT
}

async fn resume(State(app): State<Arc<App>>) -> StatusCode {
    app.admission.pause(false);
    StatusCode::NO_CONTENT
}
