//! Conditional responses with `ETag`, `If-None-Match` and status 304.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use farsign::dataset::hexadecimal;
use sha2::{Digest, Sha256};

/// Lets clients cache the response, and makes them revalidate it each time.
pub const CACHE_CONTROL_NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Lets caches keep a response whose address names its content, for a year, the longest time that they honour. On a server
/// that requires a join token, only the client's own cache may.
pub fn cache_control_immutable(needs_token: bool) -> HeaderValue {
    HeaderValue::from_static(if needs_token {
        "private, max-age=31536000, immutable"
    } else {
        "public, max-age=31536000, immutable"
    })
}

/// A response body with its tag.
#[derive(Clone, Debug)]
pub struct CacheableBody {
    /// A text of letters, digits and hyphens that changes with the content.
    pub tag: String,
    /// The value of `Content-Type`.
    pub content_type: HeaderValue,
    /// The value of `Cache-Control`.
    pub cache_control: HeaderValue,
    /// The content.
    pub body: Bytes,
}

/// Returns the tag of a content. Two contents of one run and version can differ: unlearning changes a saved run.
pub fn tag_of(content: &[u8]) -> String {
    hexadecimal(Sha256::digest(content).into())
}

/// Responds with the body, or with 304 if the client has it. Tags are weak, because the body may be compressed.
pub fn respond(headers: &HeaderMap, cacheable: CacheableBody) -> Response {
    let tag = format!("W/\"{}\"", cacheable.tag);
    respond_with(headers, cacheable, tag)
}

/// Responds as [`respond`] does, with a strong tag: for bodies that are never compressed and whose tag changes with
/// every byte.
pub fn respond_strong(headers: &HeaderMap, cacheable: CacheableBody) -> Response {
    let tag = format!("\"{}\"", cacheable.tag);
    respond_with(headers, cacheable, tag)
}

fn respond_with(headers: &HeaderMap, cacheable: CacheableBody, tag: String) -> Response {
    let CacheableBody {
        content_type,
        cache_control,
        body,
        ..
    } = cacheable;
    // The comparison is weak for strong tags too: a proxy that compresses makes them weak.
    let opaque = tag.trim_start_matches("W/");
    let is_current = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == opaque);
    let tag = HeaderValue::try_from(tag).expect("tags are letters, digits and hyphens");
    let always = [(header::ETAG, tag), (header::CACHE_CONTROL, cache_control)];
    if is_current {
        return (StatusCode::NOT_MODIFIED, always).into_response();
    }
    (always, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Respond = fn(&HeaderMap, CacheableBody) -> Response;

    fn status_of(respond: Respond, known: &[&str]) -> StatusCode {
        let mut headers = HeaderMap::new();
        for line in known {
            headers.append(header::IF_NONE_MATCH, HeaderValue::try_from(*line).unwrap());
        }
        let body = CacheableBody {
            tag: "run-7".to_owned(),
            content_type: HeaderValue::from_static("text/plain"),
            cache_control: CACHE_CONTROL_NO_CACHE,
            body: Bytes::from_static(b"content"),
        };
        respond(&headers, body).status()
    }

    fn status(known: &[&str]) -> StatusCode {
        let weak = status_of(respond, known);
        assert_eq!(status_of(respond_strong, known), weak, "{known:?}");
        weak
    }

    #[test]
    fn matching_etag_returns_304() {
        for known in [
            &["W/\"run-7\""][..],
            &["\"run-7\""],
            &["*"],
            &["W/\"run-6\", W/\"run-7\""],
            &["W/\"a\"", "W/\"run-7\""],
        ] {
            assert_eq!(status(known), StatusCode::NOT_MODIFIED, "{known:?}");
        }
    }

    #[test]
    fn tag_changes_with_content() {
        assert_eq!(tag_of(b"content"), tag_of(b"content"));
        assert_ne!(tag_of(b"content"), tag_of(b"contents"));
    }

    #[test]
    fn other_etag_returns_body() {
        for known in [
            &[][..],
            &["W/\"run-70\""],
            &["run-7"],
            &["W/\"run-6\""],
            &[""],
        ] {
            assert_eq!(status(known), StatusCode::OK, "{known:?}");
        }
    }
}
