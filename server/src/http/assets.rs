//! The page, embedded in the program.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use farsign::dataset::hexadecimal;
use rust_embed::EmbeddedFile;

use crate::http::etag::{self, CacheableBody};

/// The files of `www/`, including the generated `pkg/`.
#[derive(rust_embed::RustEmbed)]
#[folder = "../www/"]
struct Www;

/// Endings of files for development tools. They are not excluded from `Www`, since that needs a glob library, which takes
/// long to compile.
const TOOL_ENDINGS: [&str; 3] = [".d.ts", ".md", "jsconfig.json"];

const NOT_FOUND: &str =
    "no such page; a proxy that serves these pages under a path must remove the path";

/// Returns a file of the page. `None` if there is no such file, or if it is for development tools.
fn file(path: &str) -> Option<EmbeddedFile> {
    if TOOL_ENDINGS.iter().any(|ending| path.ends_with(ending)) {
        None
    } else {
        Www::get(path)
    }
}

/// Returns the address of a directory, relative to the same address without its slash. Under a proxy's path, only the
/// browser knows the beginning.
fn with_slash(path: &str, query: Option<&str>) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let query = query.map_or(String::new(), |query| format!("?{query}"));
    format!("./{name}/{query}")
}

/// Handles requests for files of the page. A directory is its `index.html`, and its path must end with a slash so that
/// relative links resolve.
pub async fn page(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let index = if path.is_empty() || path.ends_with('/') {
        "index.html"
    } else {
        ""
    };
    match file(&format!("{path}{index}")) {
        Some(file) => {
            let content_type = HeaderValue::try_from(file.metadata.mimetype());
            let page = CacheableBody {
                tag: hexadecimal(file.metadata.sha256_hash()),
                content_type: content_type
                    .unwrap_or(HeaderValue::from_static("application/octet-stream")),
                // File names do not change with their content, so browsers must revalidate each time.
                cache_control: etag::CACHE_CONTROL_NO_CACHE,
                body: match file.data {
                    Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                    Cow::Owned(bytes) => bytes.into(),
                },
            };
            etag::respond(&headers, page)
        }
        None if path.starts_with("pkg/") => {
            let hint = "the browser worker is not built into this program; build it with `cargo xtask web` first";
            (StatusCode::NOT_FOUND, hint).into_response()
        }
        None if file(&format!("{path}/index.html")).is_some() => {
            Redirect::permanent(&with_slash(path, uri.query())).into_response()
        }
        None => (StatusCode::NOT_FOUND, NOT_FOUND).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_redirect_is_relative() {
        assert_eq!(with_slash("dashboard", None), "./dashboard/");
        assert_eq!(with_slash("a/b", Some("run=x&y=%2F")), "./b/?run=x&y=%2F");
    }

    #[test]
    fn development_files_are_not_served() {
        assert!(file("index.html").is_some() && file("dashboard/index.html").is_some());
        let is_tool = |name: &str| {
            ["ts", "md", "json"]
                .iter()
                .any(|ending| name.ends_with(ending))
        };
        let tools: Vec<_> = Www::iter().filter(|name| is_tool(name)).collect();
        assert!(
            !tools.is_empty() && tools.iter().all(|name| file(name).is_none()),
            "{tools:?}"
        );
    }
}
