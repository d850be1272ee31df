//! The API on one screen, and the life of a server: [`run`].

use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use farsign::dataset::hexadecimal;
use farsign::wire::ServerFrame;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout_at;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

use crate::admin;
use crate::admission::Admission;
use crate::assets;
use crate::config::Config;
use crate::coordinator::{self, Coordinator, CoordinatorError, Handle};
use crate::counters::Counters;
use crate::dataset_source::TrainAndHeldOut;
use crate::edge::Edge;
use crate::evaluation::{Evaluator, SharedHistory};
use crate::export::{self, ExportedModel};
use crate::headers;
use crate::leaderboard::{self, Leaderboard};
use crate::metrics;
use crate::places::Places;
use crate::readiness::{Unready, readiness};
use crate::revalidate::{self, Tagged};
use crate::session;
use crate::shown_model::{self, ShownModel};
use crate::status::{Rate, Status};
use crate::store::run::SavedRun;
use crate::store::writer::SaveCounters;

/// What every request can see.
#[derive(Debug)]
pub struct App {
    /// The run and its limits.
    pub config: Config,
    /// The data of the run.
    pub data: TrainAndHeldOut,
    /// The way to the optimizer, and its snapshots.
    pub coordinator: Handle,
    /// What happened so far.
    pub counters: Arc<Counters>,
    /// Evaluations so far.
    pub history: SharedHistory,
    /// How fast contributions come.
    pub rate: Rate,
    /// What was saved so far, where the run is saved.
    pub saved: Option<Arc<SaveCounters>>,
    /// When the server started.
    pub started: Instant,
    /// The same for people.
    pub started_at: SystemTime,
    /// The places of connections.
    pub connections: Arc<Places>,
    /// Who may join; it has the places of sessions.
    pub admission: Arc<Admission>,
    /// The model that the page reads drawings with.
    pub(crate) shown_model: ShownModel,
    /// The model for other people's tools.
    pub(crate) exported_model: ExportedModel,
    /// Names of those who want to be seen.
    pub(crate) leaderboard: Leaderboard,
    /// Turns true when the server is to stop.
    pub stopping: watch::Receiver<bool>,
}

impl App {
    /// Sessions now.
    pub fn connected(&self) -> usize {
        self.admission.places().taken()
    }
}

/// Every path the server answers.
pub fn router(app: Arc<App>) -> Router {
    // Packed already, or numbers that cost much to pack and hardly shrink: anybody may ask for them again and again.
    let compressible = DefaultPredicate::new()
        .and(NotForContentType::new("application/gzip"))
        .and(NotForContentType::new("application/octet-stream"));
    let secure = app.config.tls.is_some();
    let header_timeout = app.config.edge.header_timeout;
    Router::new()
        .route("/ws", get(session::upgrade))
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready_to_work))
        .route("/metrics", get(figures))
        .route("/api/v1/status", get(status))
        .route("/api/v1/snapshot", get(snapshot))
        .route("/api/v1/model", get(shown_model::model))
        .route("/api/v1/model.safetensors", get(export::model))
        .route("/api/v1/history.csv", get(export::history))
        .route("/api/v1/manifest.json", get(export::manifest))
        .nest("/api/v1/leaderboard", leaderboard::router(header_timeout))
        .route("/api/v1/dataset/train-images-idx3-ubyte.gz", get(train_images))
        .route("/api/v1/dataset/train-labels-idx1-ubyte.gz", get(train_labels))
        .nest("/api/v1/admin", admin::router(app.config.admin_token.clone()))
        .fallback(get(assets::page))
        .layer(CompressionLayer::new().compress_when(compressible))
        .layer(axum::middleware::map_response(move |response| ready(headers::add(response, secure))))
        .with_state(app)
}

async fn ready_to_work(State(app): State<Arc<App>>) -> Result<&'static str, Unready> {
    readiness(&app).map(|()| "ready")
}

async fn figures(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(&app))
}

async fn status(State(app): State<Arc<App>>) -> Json<Status> {
    Json(Status::of(&app))
}

async fn snapshot(State(app): State<Arc<App>>) -> impl IntoResponse {
    let mut frame = Vec::new();
    ServerFrame::new(&mut frame).snapshot(&app.coordinator.snapshot().encoded);
    ([(header::CONTENT_TYPE, "application/octet-stream")], frame)
}

async fn train_images(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    training_file(&app, &headers, app.data.train_images_gz.clone())
}

async fn train_labels(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    training_file(&app, &headers, app.data.train_labels_gz.clone())
}

/// A browser that works on several cores, or comes back, downloads the data once.
fn training_file(app: &App, headers: &HeaderMap, body: Bytes) -> Response {
    let tag = hexadecimal(app.data.train.digest());
    let (kind, caching) = (HeaderValue::from_static("application/gzip"), revalidate::ASK_EACH_TIME);
    revalidate::answer(headers, Tagged { tag, kind, caching, body })
}

/// A server that is set up and not yet listening.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    coordinator: Coordinator,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Sets up the run.
    ///
    /// # Errors
    /// When the system gives no thread for checks.
    pub fn new(config: Config, data: TrainAndHeldOut) -> std::io::Result<Self> {
        Self::resume(config, data, None)
    }

    /// As [`Server::new`], and of a saved run one that goes on with it.
    ///
    /// # Errors
    /// When the system gives no thread for checks.
    pub fn resume(config: Config, data: TrainAndHeldOut, saved: Option<SavedRun>) -> std::io::Result<Self> {
        let counters = Arc::new(Counters::default());
        let admission = Arc::new(Admission::new(config.admission.clone()));
        let save_counters = saved.as_ref().map(|saved| saved.writer.counters());
        let (coordinator, handle) =
            coordinator::new(&config, &data.train, Arc::clone(&counters), Arc::clone(&admission), saved)?;
        let (stop, stopping) = watch::channel(false);
        let app = App {
            admission,
            connections: config.edge.places(),
            config,
            data,
            coordinator: handle,
            counters,
            history: SharedHistory::default(),
            rate: Rate::default(),
            saved: save_counters,
            started: Instant::now(),
            started_at: SystemTime::now(),
            shown_model: ShownModel::default(),
            exported_model: ExportedModel::default(),
            leaderboard: Leaderboard::default(),
            stopping,
        };
        Ok(Self { app: Arc::new(app), coordinator, stop })
    }

    /// What requests see; for those who report on the server.
    pub fn app(&self) -> Arc<App> {
        Arc::clone(&self.app)
    }

    /// Serves until `shutdown` is ready, then tells every session goodbye, waits for them within the drain timeout,
    /// and lets the optimizer finish what it has taken. Stops by itself when the run cannot be saved any more.
    ///
    /// # Errors
    /// When the listener fails, or the run could not be saved.
    pub async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> std::io::Result<()> {
        let Self { app, coordinator, stop } = self;
        let mut coordinator = tokio::spawn(coordinator.run());
        let background = [
            tokio::spawn(evaluate(Arc::clone(&app))),
            tokio::spawn(sample_rate(Arc::clone(&app))),
            tokio::spawn(keep_bans(Arc::clone(&app))),
        ];
        let edge = Edge::new(&app.config, Arc::clone(&app.connections), app.stopping.clone());
        let mut serve = tokio::spawn(edge.serve(listener, router(Arc::clone(&app))));
        let mut ended = None;
        let result = tokio::select! {
            ended = &mut serve => ended.map_err(std::io::Error::other),
            () = shutdown => Ok(()),
            early = &mut coordinator => {
                ended = Some(early);
                Ok(())
            }
        };
        tracing::info!(event = "stopping", sessions = app.connected(), "the server takes nobody any more");
        stop.send_replace(true);
        let deadline = Instant::now() + app.config.limits.drain_timeout;
        if timeout_at(deadline.into(), app.admission.places().all_free()).await.is_err() {
            tracing::warn!(event = "slow_drain", sessions = app.connected(), "sessions did not end in time");
        }
        if !serve.is_finished() {
            _ = timeout_at(deadline.into(), &mut serve).await; // answers that are on their way
        }
        serve.abort();
        background.iter().for_each(tokio::task::JoinHandle::abort);
        for task in background {
            _ = task.await; // aborted
        }
        let ended = if let Some(early) = ended {
            early
        } else {
            app.coordinator.stop().await;
            coordinator.await
        };
        app.admission.save_bans().await; // also those of liars that were found while it stopped
        ended.map_err(std::io::Error::other)?.map_err(cannot_go_on)?;
        result
    }
}

fn cannot_go_on(error: CoordinatorError) -> std::io::Error {
    tracing::error!(event = "cannot_go_on", %error, "no more answers are taken");
    std::io::Error::other(error)
}

async fn evaluate(app: Arc<App>) {
    let evaluator = Evaluator {
        architecture: app.config.run.architecture.clone(),
        held_out: Arc::clone(&app.data.held_out),
        every: app.config.evaluate_every,
        history: app.history.clone(),
    };
    evaluator.run(app.coordinator.snapshots()).await;
}

async fn keep_bans(app: Arc<App>) {
    app.admission.keep_bans().await;
}

async fn sample_rate(app: Arc<App>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        let now = second.tick().await;
        app.rate.sample(now.into_std(), app.coordinator.snapshot().accepted);
    }
}
