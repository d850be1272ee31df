//! Answers that a client which has them already is not sent again.
//!
//! Each has a tag; a client that comes back brings the tag of what it has, and is told 304 while that is still right.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Keep it, and ask each time whether it has changed.
pub const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");

/// Something that changes now and then.
#[derive(Clone, Debug)]
pub struct Tagged {
    /// Differs whenever the content does; letters, digits and hyphens.
    pub tag: String,
    /// The media type.
    pub kind: HeaderValue,
    /// How long a client may go without asking.
    pub caching: HeaderValue,
    /// The content.
    pub body: Bytes,
}

/// The answer to a request with these headers. Tags are weak, because the content may be packed on its way.
pub fn answer(headers: &HeaderMap, Tagged { tag, kind, caching, body }: Tagged) -> Response {
    let tag = format!("W/\"{tag}\"");
    let has_it = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|known| known.trim() == tag || known.trim() == "*");
    let tag = HeaderValue::try_from(tag).expect("tags are letters, digits and hyphens");
    let always = [(header::ETAG, tag), (header::CACHE_CONTROL, caching)];
    if has_it {
        return (StatusCode::NOT_MODIFIED, always).into_response();
    }
    (always, [(header::CONTENT_TYPE, kind)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(known: &[&str]) -> StatusCode {
        let mut headers = HeaderMap::new();
        for line in known {
            headers.append(header::IF_NONE_MATCH, HeaderValue::try_from(*line).unwrap());
        }
        let kind = HeaderValue::from_static("text/plain");
        let body = Bytes::from_static(b"content");
        answer(&headers, Tagged { tag: "run-7".to_owned(), kind, caching: ASK_EACH_TIME, body }).status()
    }

    #[test]
    fn only_who_has_it_is_not_sent_it_again() {
        for known in
            [&["W/\"run-7\""][..], &["*"], &["W/\"run-6\", W/\"run-7\""], &["W/\"a\"", "W/\"run-7\""]]
        {
            assert_eq!(status(known), StatusCode::NOT_MODIFIED, "{known:?}");
        }
        for known in [&[][..], &["W/\"run-70\""], &["run-7"], &["W/\"run-6\""], &[""]] {
            assert_eq!(status(known), StatusCode::OK, "{known:?}");
        }
    }
}
