//! Exports for other tools: the model, its accuracy over the run, and a description of the run.
//!
//! ```text
//!   GET /api/v1/model.safetensors    the newest parameters, as named tensors
//!   GET /api/v1/history.csv          accuracy and loss over the run
//!   GET /api/v1/manifest.json        settings and data of the run
//! ```

mod history_csv;
mod manifest;
mod safetensors;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::{Extension, Router};

use crate::evaluation::History;
use crate::http::etag::{self, CacheableBody};
use crate::http::ttl_cache::TtlCache;
use crate::state::AppState;

pub use crate::http::export::manifest::Manifest;
pub use crate::http::export::safetensors::{
    HeldOutAccuracy, InvalidModelFile, TrainedModel, check,
};

/// Any client may request the model, so responses share one encoding for this time.
const MODEL_TTL: Duration = Duration::from_secs(5);

/// The cached model file.
#[derive(Debug)]
struct ExportCache(TtlCache<ModelFile>);

/// An encoded model.
#[derive(Clone, Debug)]
struct ModelFile {
    tag: String,
    file_name: String,
    bytes: Bytes,
}

impl Default for ExportCache {
    fn default() -> Self {
        Self(TtlCache::new(MODEL_TTL))
    }
}

/// Routes the exports, with the cache of the model.
pub(super) fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/api/v1/model.safetensors", get(model))
        .route("/api/v1/history.csv", get(history))
        .route("/api/v1/manifest.json", get(manifest))
        .layer(Extension(Arc::new(ExportCache::default())))
}

async fn model(
    State(state): State<Arc<AppState>>,
    Extension(cache): Extension<Arc<ExportCache>>,
    headers: HeaderMap,
) -> Response {
    let ModelFile {
        tag,
        file_name,
        bytes,
    } = cache
        .0
        .get_or_insert_with(Instant::now(), || encode_newest(&state));
    let model = CacheableBody {
        tag,
        content_type: HeaderValue::from_static("application/octet-stream"),
        cache_control: etag::CACHE_CONTROL_NO_CACHE,
        body: bytes,
    };
    attachment(etag::respond(&headers, model), &file_name)
}

fn encode_newest(state: &AppState) -> ModelFile {
    let snapshot = state.gateway.snapshot();
    let model = TrainedModel {
        run: &state.run,
        data_name: &state.data.name,
        train_sha256: state.data.train.digest(),
        version: snapshot.version.number(),
        accepted: snapshot.accepted,
        held_out: state
            .history
            .read(History::newest)
            .map(HeldOutAccuracy::from),
        x: snapshot.parameters(),
    };
    let bytes = model.to_safetensors();
    ModelFile {
        tag: etag::tag_of(&bytes),
        file_name: model.file_name(),
        bytes: bytes.into(),
    }
}

async fn history(State(state): State<Arc<AppState>>) -> Response {
    let text = history_csv::to_csv(&state.history.read(History::points));
    let content_type = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/csv; charset=utf-8"),
    )];
    let file_name = format!("farsign-{:016x}-history.csv", state.run.run_id);
    attachment((content_type, text).into_response(), &file_name)
}

async fn manifest(State(state): State<Arc<AppState>>) -> Json<Manifest> {
    Json(Manifest::new(&state.run, &state.settings, &state.data))
}

/// Makes browsers save the response as a file.
fn attachment(mut response: Response, file_name: &str) -> Response {
    let value = HeaderValue::try_from(format!("attachment; filename=\"{file_name}\""));
    let value = value.expect("file names are letters, digits, dots and hyphens");
    response
        .headers_mut()
        .insert(header::CONTENT_DISPOSITION, value);
    response
}
