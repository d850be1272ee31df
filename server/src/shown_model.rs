//! `GET /api/v1/model`: the parameters that the page reads drawings with, in half precision.
//!
//! Anybody may ask, so it costs little: for two seconds everybody is given the same bytes, and who has them already is
//! told so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use farsign::wire::ServerFrame;

use crate::app::App;
use crate::coordinator::Snapshot;
use crate::revalidate::{self, Tagged};
use crate::shown::Shown;

/// How long the same model is shown.
const SHOWN_FOR: Duration = Duration::from_secs(2);

/// The model that is shown at the moment.
#[derive(Debug)]
pub struct ShownModel(Shown<(u64, Bytes)>);

impl Default for ShownModel {
    fn default() -> Self {
        Self(Shown::new(SHOWN_FOR))
    }
}

/// Version of a snapshot, and a frame with it.
fn frame(snapshot: &Snapshot) -> (u64, Bytes) {
    let mut frame = Vec::new();
    ServerFrame::new(&mut frame).half_snapshot(&snapshot.encoded);
    (snapshot.version, frame.into())
}

/// Answers a request for it.
pub async fn model(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let newest = || frame(&app.coordinator.snapshot());
    let (version, frame) = app.shown_model.0.at_or(Instant::now(), newest);
    let tagged = Tagged {
        tag: format!("{:016x}-{version}", app.config.run.run_id),
        kind: HeaderValue::from_static("application/octet-stream"),
        caching: revalidate::ASK_EACH_TIME,
        body: frame,
    };
    revalidate::answer(&headers, tagged)
}
