//! `GET /api/v1/admin/dashboard`: a stream of server-sent events for the operator's dashboard, one a second.
//!
//! Each event is a complete [`DashboardEvent`], so a missed one costs nothing. It has one page of the volunteers, so
//! its size does not grow with their number. The next event is made when the last has been sent: a slow reader gets
//! fewer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::http::admin::dto::{EjectionRow, VolunteerRow};
use crate::http::admin::pagination::{Page, PageRequest};
use crate::shutdown::cancelled;
use crate::state::AppState;

/// Concurrent streams. Each event requests all volunteers from the gateway.
const MAX_STREAMS: usize = 8;

/// Newest ejections in an event; `/ejections` lists more.
const MAX_EJECTIONS: usize = 20;

/// Time between events.
const EVENT_INTERVAL: Duration = Duration::from_secs(1);

/// The limiter of streams.
#[derive(Clone, Debug)]
pub(super) struct StreamLimiter(Arc<Semaphore>);

impl Default for StreamLimiter {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_STREAMS)))
    }
}

/// The state of the server besides its public status.
#[derive(Debug, Serialize)]
struct DashboardEvent {
    volunteers: Page,
    ejected: u64,
    ejections: Vec<EjectionRow>,
    /// Effort of volunteers that join later.
    effort_percent: u8,
    connections: usize,
    bans: usize,
    /// Whether the newest bans are missing in the ban file; `None` if there is no ban file.
    ban_file_failing: Option<bool>,
    snapshot: SnapshotInfo,
    /// `None` if the run is not saved.
    saved: Option<JournalInfo>,
}

#[derive(Debug, Serialize)]
struct SnapshotInfo {
    version: u64,
    age_s: f64,
}

#[derive(Debug, Serialize)]
struct JournalInfo {
    commits: u64,
    log_bytes: u64,
}

impl DashboardEvent {
    /// Collects an event; `None` if the server is shutting down.
    async fn collect(state: &AppState, request: &PageRequest) -> Option<Self> {
        let listing = state.gateway.list().await.ok()?;
        let snapshot = state.gateway.snapshot();
        Some(Self {
            volunteers: request.page(
                listing
                    .volunteers
                    .into_iter()
                    .map(VolunteerRow::from)
                    .collect(),
            ),
            ejected: listing.ejected,
            ejections: listing
                .ejections
                .into_iter()
                .take(MAX_EJECTIONS)
                .map(EjectionRow::from)
                .collect(),
            effort_percent: listing.effort_percent,
            connections: state.connections.in_use(),
            bans: state.admission.count_bans(),
            ban_file_failing: state.admission.is_ban_file_failing(),
            snapshot: SnapshotInfo {
                version: snapshot.version.number(),
                age_s: snapshot.made.elapsed().as_secs_f64(),
            },
            saved: state.journal.as_deref().map(|journal| JournalInfo {
                commits: journal.commits.load(Ordering::Relaxed),
                log_bytes: journal.log_bytes.load(Ordering::Relaxed),
            }),
        })
    }
}

/// An open stream with its permit.
struct StreamGuard {
    state: Arc<AppState>,
    request: PageRequest,
    ticks: Interval,
    _permit: OwnedSemaphorePermit,
}

impl StreamGuard {
    /// Waits for the next event; `None` if the server is shutting down.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let mut shutdown = self.state.shutdown.clone();
        tokio::select! {
            _ = self.ticks.tick() => {}
            () = cancelled(&mut shutdown) => return None,
        }
        let event = DashboardEvent::collect(&self.state, &self.request).await?;
        let event = Event::default()
            .event("view")
            .json_data(&event)
            .expect("all keys are strings");
        Some((Ok(event), self))
    }
}

/// Handles `GET /api/v1/admin/dashboard`.
pub(super) async fn stream(
    State(state): State<Arc<AppState>>,
    Extension(limiter): Extension<StreamLimiter>,
    Query(request): Query<PageRequest>,
) -> Response {
    let Ok(permit) = limiter.0.try_acquire_owned() else {
        let text = format!("all {MAX_STREAMS} dashboards are in use: close one");
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let mut ticks = interval(EVENT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Sse::new(events(StreamGuard {
        state,
        request,
        ticks,
        _permit: permit,
    }))
    .into_response()
}

fn events(guard: StreamGuard) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(guard, StreamGuard::next)
}
