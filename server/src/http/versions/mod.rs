//! Versions under their names, for relays and content networks.
//!
//! ```text
//!   GET /api/v1/runs/RUN/versions/HASH              the version as a whole
//!   GET /api/v1/runs/RUN/versions/HASH/from/BASE    its differences to another version
//! ```
//!
//! The name decides the bits, so a response never expires. A recipient computes the hash and needs to trust nothing in
//! between.

mod encoder;
mod frame_cache;
mod pair;
mod unavailable;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};

use crate::http::etag::{self, CacheableBody};
use crate::state::AppState;
use encoder::Encoder;
use pair::VersionPair;
use unavailable::VersionUnavailable;

/// Routes the paths below `/api/v1/runs`, with their cache.
pub(super) fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/{run}/versions/{version}", get(whole))
        .route("/{run}/versions/{version}/from/{base}", get(differences))
        .layer(Extension(Arc::new(Encoder::default())))
}

/// Handles the request for a whole version.
async fn whole(
    State(state): State<Arc<AppState>>,
    Extension(encoder): Extension<Arc<Encoder>>,
    Path((run, version)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, VersionUnavailable> {
    check_run(&state, &run)?;
    let pair = VersionPair::whole(version.parse()?);
    respond(&state, &encoder, pair, &headers).await
}

/// Handles the request for differences.
async fn differences(
    State(state): State<Arc<AppState>>,
    Extension(encoder): Extension<Arc<Encoder>>,
    Path((run, version, base)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, VersionUnavailable> {
    check_run(&state, &run)?;
    let pair = VersionPair::differences(version.parse()?, base.parse()?)?;
    respond(&state, &encoder, pair, &headers).await
}

/// Checks that a path names the run of this server.
fn check_run(state: &AppState, run: &str) -> Result<(), VersionUnavailable> {
    let expected = format!("{:016x}", state.run.run_id);
    if run == expected {
        Ok(())
    } else {
        Err(VersionUnavailable::UnknownRun { expected })
    }
}

async fn respond(
    state: &AppState,
    encoder: &Encoder,
    pair: VersionPair,
    headers: &HeaderMap,
) -> Result<Response, VersionUnavailable> {
    pair.check(&state.gateway.snapshot())?;
    let coordinator = state.gateway.clone();
    // Reads the snapshot when its turn comes, so that requests in the queue keep no old snapshot in memory.
    let encode = move || pair.encode(&coordinator.snapshot());
    let frame = encoder.frame(pair, encode).await?;
    let body = CacheableBody {
        tag: frame.tag,
        content_type: HeaderValue::from_static("application/octet-stream"),
        cache_control: etag::cache_control_immutable(state.admission.needs_token()),
        body: frame.bytes,
    };
    Ok(etag::respond_strong(headers, body))
}
