//! The page, built into the program.

use axum::body::Body;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

/// Everything under `www/`, the generated `pkg/` included.
#[derive(rust_embed::RustEmbed)]
#[folder = "../www/"]
struct Www;

/// A file of the page; `/` is `index.html`.
pub async fn page(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    match Www::get(path) {
        Some(file) => {
            let kind = file.metadata.mimetype().to_owned();
            // Names do not change with content, so a browser asks each time; everything is local and small.
            (
                [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache".to_owned())],
                Body::from(file.data),
            )
                .into_response()
        }
        None if path.starts_with("pkg/") => {
            let hint =
                "the browser worker is not built into this program; build it with `cargo xtask web` first";
            (StatusCode::NOT_FOUND, hint).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no such page").into_response(),
    }
}
