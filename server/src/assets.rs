//! The page, built into the program.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use farsign::dataset::hexadecimal;

use crate::revalidate::{self, Tagged};

/// Everything under `www/`, the generated `pkg/` included.
#[derive(rust_embed::RustEmbed)]
#[folder = "../www/"]
struct Www;

/// A file of the page; `/` is `index.html`.
pub async fn page(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    match Www::get(path) {
        Some(file) => {
            // Names do not change with content, so a browser asks each time whether its copy is still right.
            let tag = hexadecimal(file.metadata.sha256_hash());
            let kind = HeaderValue::try_from(file.metadata.mimetype());
            let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
            let body = match file.data {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => bytes.into(),
            };
            revalidate::answer(&headers, Tagged { tag, kind, caching: revalidate::ASK_EACH_TIME, body })
        }
        None if path.starts_with("pkg/") => {
            let hint =
                "the browser worker is not built into this program; build it with `cargo xtask web` first";
            (StatusCode::NOT_FOUND, hint).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no such page").into_response(),
    }
}
