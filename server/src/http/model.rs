//! `GET /api/v1/model`: the newest version as a whole, for the page's drawing pad. `GET /api/v1/snapshot`: the exact
//! parameters, as a version on the finest grid.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use farsign::wire::ServerFrame;

use crate::gateway::Snapshot;
use crate::http::etag::{self, CacheableBody};
use crate::http::ttl_cache::TtlCache;
use crate::state::AppState;

/// Any client may request the model, so responses share one encoding for this time.
const MODEL_TTL: Duration = Duration::from_secs(2);

/// The cached tag and frame of the model.
#[derive(Debug)]
struct ModelCache(TtlCache<(String, Bytes)>);

impl Default for ModelCache {
    fn default() -> Self {
        Self(TtlCache::new(MODEL_TTL))
    }
}

/// Routes `/api/v1/model`, with its cache.
pub(super) fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/", get(model))
        .layer(Extension(Arc::new(ModelCache::default())))
}

/// Encodes the frame of a snapshot's version, and returns it with its tag.
fn encode(snapshot: &Snapshot) -> (String, Bytes) {
    let mut frame = Vec::new();
    ServerFrame::new(&mut frame).version(&snapshot.encoded_since(None));
    (etag::tag_of(&frame), frame.into())
}

async fn model(
    State(state): State<Arc<AppState>>,
    Extension(cache): Extension<Arc<ModelCache>>,
    headers: HeaderMap,
) -> Response {
    let newest = || encode(&state.gateway.snapshot());
    let (tag, body) = cache.0.get_or_insert_with(Instant::now(), newest);
    let model = CacheableBody {
        tag,
        content_type: HeaderValue::from_static("application/octet-stream"),
        cache_control: etag::CACHE_CONTROL_NO_CACHE,
        body,
    };
    etag::respond(&headers, model)
}

/// Handles `GET /api/v1/snapshot`.
pub(super) async fn snapshot(State(state): State<Arc<AppState>>) -> impl IntoResponse {
    let mut frame = Vec::new();
    let snapshot = state.gateway.snapshot();
    ServerFrame::new(&mut frame).version(&snapshot.encode_exact());
    ([(header::CONTENT_TYPE, "application/octet-stream")], frame)
}
