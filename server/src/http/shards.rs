//! `GET /api/v1/data/shards`: the list of shards of the training data, and each shard under its digest.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use farsign::dataset::{hexadecimal, parse_hexadecimal};
use serde::Serialize;

use crate::data::shard_files::ShardFiles;
use crate::http::etag::{self, CacheableBody};
use crate::state::AppState;

/// Routes `/api/v1/data/shards`.
pub(super) fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/", get(list))
        .route("/{digest}", get(shard))
}

/// The shards of the training data.
#[derive(Clone, Debug, Serialize)]
struct List {
    /// Digest of the training data: SHA-256 of the digests of the shards.
    digest: String,
    rows: usize,
    cols: usize,
    classes: usize,
    images: usize,
    /// Size of all shards, gzipped.
    bytes: u64,
    /// In order.
    shards: Vec<Shard>,
}

#[derive(Clone, Debug, Serialize)]
struct Shard {
    /// SHA-256 of the unpacked shard.
    digest: String,
    images: usize,
    /// Size, gzipped.
    bytes: usize,
}

impl From<&ShardFiles> for List {
    fn from(files: &ShardFiles) -> Self {
        let list = files.data().list();
        let shards = list.entries().iter().zip(files.packed());
        Self {
            digest: hexadecimal(list.digest()),
            rows: list.rows(),
            cols: list.cols(),
            classes: list.classes(),
            images: list.images(),
            bytes: files.packed_bytes(),
            shards: shards
                .map(|(entry, file)| Shard {
                    digest: hexadecimal(entry.digest),
                    images: entry.images,
                    bytes: file.len(),
                })
                .collect(),
        }
    }
}

/// A request for a shard that the training data does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum ShardNotFound {
    #[error(
        "expected the digest of a shard, 64 hexadecimal digits in lower case, found other text of {found} bytes; \
         /api/v1/data/shards lists the shards"
    )]
    Name { found: usize },
    #[error(
        "expected the digest of a shard of this run's training data, found another; /api/v1/data/shards lists the shards"
    )]
    Digest,
}

impl IntoResponse for ShardNotFound {
    fn into_response(self) -> Response {
        (StatusCode::NOT_FOUND, self.to_string()).into_response()
    }
}

/// Handles the request for the list.
async fn list(State(state): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    let list = List::from(&state.data.shards);
    let body = Bytes::from(serde_json::to_vec(&list).expect("strings and numbers become JSON"));
    let list = CacheableBody {
        tag: etag::tag_of(&body),
        content_type: HeaderValue::from_static("application/json"),
        cache_control: etag::CACHE_CONTROL_NO_CACHE,
        body,
    };
    etag::respond(&headers, list)
}

/// Handles the request for a shard.
async fn shard(
    State(state): State<Arc<AppState>>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ShardNotFound> {
    let found = digest.len();
    let digest_bytes = parse_hexadecimal(&digest).ok_or(ShardNotFound::Name { found })?;
    let body = state.data.shards.find(digest_bytes);
    let shard = CacheableBody {
        tag: digest,
        content_type: HeaderValue::from_static("application/gzip"),
        cache_control: etag::cache_control_immutable(state.admission.needs_token()),
        body: body.ok_or(ShardNotFound::Digest)?,
    };
    Ok(etag::respond(&headers, shard))
}
