//! Reasons for which a version is not served.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use farsign::version::{ParseVersionHashError, VersionHash};

/// Caches keep no error: a version that is unknown now may be published next.
const CACHE_CONTROL_NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Seconds after which a client may retry.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The reason for which a version is not served. Its text is the body of the response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionUnavailable {
    /// A path that names another run, or none.
    #[error("expected the run {expected}, found another")]
    UnknownRun { expected: String },
    /// A path without the hash of a version.
    #[error(transparent)]
    Hash(#[from] ParseVersionHashError),
    /// A version that was not published or is no longer kept.
    #[error(
        "expected a version that the server holds, such as the newest, {newest}; found {found}"
    )]
    UnknownVersion {
        newest: VersionHash,
        found: VersionHash,
    },
    /// A base that was not published or is no longer kept.
    #[error("expected a base that the server holds, found {found}: request the whole version")]
    UnknownBase { found: VersionHash },
    /// A version as differences to itself.
    #[error("expected a base other than the version")]
    SameBase,
    /// A full queue.
    #[error("expected fewer requests for versions at once, found a full queue: retry later")]
    QueueFull,
    /// The server is shutting down.
    #[error("the server is stopping")]
    Stopping,
}

impl VersionUnavailable {
    fn status(&self) -> StatusCode {
        match self {
            Self::Hash(_) => StatusCode::BAD_REQUEST,
            Self::UnknownRun { .. }
            | Self::UnknownVersion { .. }
            | Self::UnknownBase { .. }
            | Self::SameBase => StatusCode::NOT_FOUND,
            Self::QueueFull | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for VersionUnavailable {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, self.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, CACHE_CONTROL_NO_STORE);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}
