//! `GET /api/v1/admin/dashboard`: what a host watches, once a second, for as long as somebody does.
//!
//! Server-sent events, each a whole [`View`]: whoever missed one is told everything by the next. A view has one screenful
//! of the volunteers, so it is as large with thousands of them. The next one is made when the last has been taken: a slow
//! reader gets fewer.

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

use super::rows::{RemovalRow, VolunteerRow};
use super::window::{Seen, Window};
use crate::app::App;

/// Dashboards that are open at once: each asks the coordinator for all volunteers.
const MOST_OPEN: usize = 8;

/// Of those who were sent away, the newest that a view has; `removals` has more.
const MOST_REMOVALS: usize = 20;

/// Time from one view to the next.
const EVERY: Duration = Duration::from_secs(1);

/// The places of dashboards.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_OPEN)))
    }
}

/// What is seen at one moment, besides the public status.
#[derive(Debug, Serialize)]
struct View {
    volunteers: Seen,
    removed: u64,
    removals: Vec<RemovalRow>,
    /// Effort of who joins from now on.
    effort_percent: u8,
    connections: usize,
    bans: usize,
    snapshot: SnapshotView,
    /// None where the run is not saved.
    saved: Option<SavedView>,
}

#[derive(Debug, Serialize)]
struct SnapshotView {
    version: u64,
    age_s: f64,
}

#[derive(Debug, Serialize)]
struct SavedView {
    commits: u64,
    log_bytes: u64,
}

impl View {
    /// None when the server is stopping.
    async fn of(app: &App, window: &Window) -> Option<Self> {
        let roster = app.coordinator.roster().await.ok()?;
        let snapshot = app.coordinator.snapshot();
        Some(Self {
            volunteers: window.of(roster.volunteers.into_iter().map(VolunteerRow::from).collect()),
            removed: roster.removed,
            removals: roster.removals.into_iter().take(MOST_REMOVALS).map(RemovalRow::from).collect(),
            effort_percent: roster.effort_percent,
            connections: app.connections.taken(),
            bans: app.admission.count_bans(),
            snapshot: SnapshotView {
                version: snapshot.version,
                age_s: snapshot.made.elapsed().as_secs_f64(),
            },
            saved: app.saved.as_deref().map(|saved| SavedView {
                commits: saved.commits.load(Ordering::Relaxed),
                log_bytes: saved.log_bytes.load(Ordering::Relaxed),
            }),
        })
    }
}

/// A dashboard that is open.
struct Open {
    app: Arc<App>,
    window: Window,
    ticks: Interval,
    _place: OwnedSemaphorePermit,
}

impl Open {
    /// The next view; none when the server is stopping.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let mut stopping = self.app.stopping.clone();
        tokio::select! {
            _ = self.ticks.tick() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return None,
        }
        let view = View::of(&self.app, &self.window).await?;
        let event = Event::default().event("view").json_data(&view).expect("a view has no keys but names");
        Some((Ok(event), self))
    }
}

/// Opens a dashboard.
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    Extension(places): Extension<Places>,
    Query(window): Query<Window>,
) -> Response {
    let Ok(place) = places.0.try_acquire_owned() else {
        let why = format!("{MOST_OPEN} dashboards are open, which is as many as there may be: close one");
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Sse::new(views(Open { app, window, ticks, _place: place })).into_response()
}

fn views(open: Open) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(open, Open::next)
}
