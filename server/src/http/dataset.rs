//! `GET /api/v1/dataset/*`: the training data, as compressed IDX files.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use farsign::dataset::hexadecimal;

use crate::http::etag::{self, CacheableBody};
use crate::state::AppState;

/// Handles the request for the images.
pub(super) async fn train_images(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
) -> Response {
    training_file(&state, &headers, state.data.train_images_gz.clone())
}

/// Handles the request for the labels.
pub(super) async fn train_labels(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
) -> Response {
    training_file(&state, &headers, state.data.train_labels_gz.clone())
}

/// Responds with an ETag, so that a browser with several workers downloads the data once.
fn training_file(state: &AppState, headers: &HeaderMap, body: Bytes) -> Response {
    let file = CacheableBody {
        tag: hexadecimal(state.data.train.digest()),
        content_type: HeaderValue::from_static("application/gzip"),
        cache_control: etag::CACHE_CONTROL_NO_CACHE,
        body,
    };
    etag::respond(headers, file)
}
