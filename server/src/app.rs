//! The API on one screen, and the life of a server: [`run`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Json};
use axum::routing::get;
use axum::serve::ListenerExt;
use farsign::wire::ServerFrame;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::assets;
use crate::config::Config;
use crate::coordinator::{self, Coordinator, Handle};
use crate::counters::Counters;
use crate::dataset_source::TrainAndHeldOut;
use crate::evaluation::{Evaluator, SharedHistory};
use crate::session;
use crate::status::{Rate, Status};
use crate::store::StoreError;
use crate::store::run::SavedRun;

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
    /// When the server started.
    pub started: Instant,
    /// A permit for each session; all are free again when the server has drained.
    pub places: Arc<Semaphore>,
    /// Turns true when the server is to stop.
    pub stopping: watch::Receiver<bool>,
}

impl App {
    /// Sessions now.
    pub fn connected(&self) -> usize {
        self.config.limits.max_volunteers - self.places.available_permits()
    }
}

/// Scripts from here only, no frames, no guessing of types.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data:; \
                      object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/// Every path the server answers.
pub fn router(app: Arc<App>) -> Router {
    let compressible = DefaultPredicate::new().and(NotForContentType::new("application/gzip"));
    let header = |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    Router::new()
        .route("/ws", get(session::upgrade))
        .route("/healthz", get(async || "ok"))
        .route("/api/v1/status", get(status))
        .route("/api/v1/snapshot", get(snapshot))
        .route("/api/v1/dataset/train-images-idx3-ubyte.gz", get(train_images))
        .route("/api/v1/dataset/train-labels-idx1-ubyte.gz", get(train_labels))
        .fallback(get(assets::page))
        .layer(CompressionLayer::new().compress_when(compressible))
        .layer(header(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .with_state(app)
}

async fn status(State(app): State<Arc<App>>) -> Json<Status> {
    Json(Status::of(&app))
}

async fn snapshot(State(app): State<Arc<App>>) -> impl IntoResponse {
    let mut frame = Vec::new();
    ServerFrame::new(&mut frame).snapshot(&app.coordinator.snapshot().encoded);
    ([(header::CONTENT_TYPE, "application/octet-stream")], frame)
}

async fn train_images(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/gzip")], app.data.train_images_gz.clone())
}

async fn train_labels(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/gzip")], app.data.train_labels_gz.clone())
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
        let (coordinator, handle) = coordinator::new(&config, &data.train, Arc::clone(&counters), saved)?;
        let (stop, stopping) = watch::channel(false);
        let app = App {
            places: Arc::new(Semaphore::new(config.limits.max_volunteers)),
            config,
            data,
            coordinator: handle,
            counters,
            history: SharedHistory::default(),
            rate: Rate::default(),
            started: Instant::now(),
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
        let background =
            [tokio::spawn(evaluate(Arc::clone(&app))), tokio::spawn(sample_rate(Arc::clone(&app)))];
        let mut stopping = app.stopping.clone();
        let until_stopped = async move { _ = stopping.wait_for(|stop| *stop).await };
        let serve = axum::serve(listener.tap_io(no_delay), router(Arc::clone(&app)))
            .with_graceful_shutdown(until_stopped);
        let mut serve = tokio::spawn(serve.into_future());
        let mut ended = None;
        let result = tokio::select! {
            ended = &mut serve => ended.map_err(std::io::Error::other).flatten(),
            () = shutdown => Ok(()),
            early = &mut coordinator => {
                ended = Some(early);
                Ok(())
            }
        };
        stop.send_replace(true);
        let everyone = app.places.acquire_many(app.config.limits.max_volunteers as u32);
        if tokio::time::timeout(app.config.limits.drain_timeout, everyone).await.is_err() {
            tracing::warn!(left = app.connected(), "sessions did not end in time");
        }
        serve.abort(); // idle keep-alive connections would hold it open
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
        ended.map_err(std::io::Error::other)?.map_err(unsaved)?;
        result
    }
}

/// Nobody was told anything that is not saved.
fn unsaved(error: StoreError) -> std::io::Error {
    tracing::error!(%error, "the run cannot be saved; no more answers are taken");
    std::io::Error::other(error)
}

/// An answer waits for its acknowledgement; Nagle's algorithm would hold that back.
fn no_delay(stream: &mut TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not turn Nagle's algorithm off");
    }
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

async fn sample_rate(app: Arc<App>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        let now = second.tick().await;
        app.rate.sample(now.into_std(), app.coordinator.snapshot().accepted);
    }
}
