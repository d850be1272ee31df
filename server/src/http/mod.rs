//! Handlers of all HTTP requests. docs/http-api.md documents the paths.

pub mod admin;
pub mod assets;
mod dto;
pub mod etag;
pub mod export;
pub mod health;
pub mod leaderboard;
pub mod metrics;
pub mod model;
pub mod security_headers;
mod shards;
pub mod status;
pub mod ttl_cache;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

use crate::admission::TokenDigest;
use crate::session;
use crate::state::AppState;

/// Options of the [`router`].
#[derive(Clone, Debug)]
pub struct RouterOptions {
    /// Token of the admin API; `None` disables the API.
    pub admin_token: Option<TokenDigest>,
    /// Whether the server itself terminates TLS.
    pub https: bool,
    /// Time in which the body of a request must arrive.
    pub body_timeout: Duration,
}

/// Routes every path of the server.
pub fn router(state: Arc<AppState>, options: RouterOptions) -> Router {
    // These are compressed already, or numbers that are expensive to compress and hardly shrink. Any client may request
    // them repeatedly.
    let compressible = DefaultPredicate::new()
        .and(NotForContentType::new("application/gzip"))
        .and(NotForContentType::new("application/octet-stream"));
    let https = options.https;
    Router::new()
        .route("/ws", get(session::upgrade))
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/snapshot", get(model::snapshot))
        .nest("/api/v1/model", model::router())
        .merge(export::router())
        .nest("/api/v1/runs", versions::router())
        .nest(
            "/api/v1/leaderboard",
            leaderboard::router(options.body_timeout),
        )
        .nest("/api/v1/data/shards", shards::router())
        .nest("/api/v1/admin", admin::router(options.admin_token))
        .fallback(get(assets::page))
        .layer(CompressionLayer::new().compress_when(compressible))
        .layer(axum::middleware::from_fn_with_state(
            https,
            security_headers::add,
        ))
        .with_state(state)
}
