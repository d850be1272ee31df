//! The pages, built into the program.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use farsign::dataset::hexadecimal;

use crate::revalidate::{self, Tagged};

/// Everything under `www/`, the generated `pkg/` included.
#[derive(rust_embed::RustEmbed)]
#[folder = "../www/"]
struct Www;

/// A file of the pages. A folder is its `index.html`, and has a slash at the end, or what is in it would not be found.
pub async fn page(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let index = if path.is_empty() || path.ends_with('/') { "index.html" } else { "" };
    match Www::get(&format!("{path}{index}")) {
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
        None if Www::get(&format!("{path}/index.html")).is_some() => {
            Redirect::permanent(&format!("/{path}/")).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no such page").into_response(),
    }
}
