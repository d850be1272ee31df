//! `GET /api/v1/model`: the parameters that the page reads drawings with, in half precision.
//!
//! Anybody may ask, so it costs little: for two seconds everybody is given the same bytes, and who has them already is
//! told so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use farsign::wire::ServerFrame;

use crate::app::App;
use crate::coordinator::Snapshot;
use crate::revalidate::{self, Tagged};

/// How long the same model is shown.
const SHOWN_FOR: Duration = Duration::from_secs(2);

/// The model that is shown at the moment.
#[derive(Debug, Default)]
pub struct ShownModel(Mutex<Option<Shown>>);

#[derive(Clone, Debug)]
struct Shown {
    since: Instant,
    version: u64,
    /// A frame with one snapshot.
    frame: Bytes,
}

impl ShownModel {
    /// The one to show now: the newest, unless one has been shown for less than [`SHOWN_FOR`].
    fn at(&self, now: Instant, newest: impl FnOnce() -> Arc<Snapshot>) -> Shown {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shown {
            Some(shown) if now.saturating_duration_since(shown.since) < SHOWN_FOR => shown.clone(),
            _ => {
                let (snapshot, mut frame) = (newest(), Vec::new());
                ServerFrame::new(&mut frame).half_snapshot(&snapshot.encoded);
                let next = Shown { since: now, version: snapshot.version, frame: frame.into() };
                shown.insert(next).clone()
            }
        }
    }
}

/// Answers a request for it.
pub async fn model(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let Shown { version, frame, .. } = app.shown_model.at(Instant::now(), || app.coordinator.snapshot());
    let tagged = Tagged {
        tag: format!("{:016x}-{version}", app.config.run.run_id),
        kind: HeaderValue::from_static("application/octet-stream"),
        caching: revalidate::ASK_EACH_TIME,
        body: frame,
    };
    revalidate::answer(&headers, tagged)
}
