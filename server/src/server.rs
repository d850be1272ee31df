//! The life of a server: wiring, background tasks and graceful shutdown.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::admission::Admission;
use crate::config::Config;
use crate::coordinator::{Coordinator, Services};
use crate::counters::Counters;
use crate::data::loader::TrainAndHeldOut;
use crate::evaluation::{Evaluator, SharedHistory};
use crate::gateway::GatewayHandle;
use crate::http::{self, RouterOptions};
use crate::net::listen_sockets::ListenSockets;
use crate::net::listener::{Listener, ListenerOptions};
use crate::state::AppState;
use crate::store::saved_run::SavedRun;
use crate::store::writer::WriterCounters;
use crate::throughput::ThroughputMeter;

/// The error that ended training.
pub type TrainingError = Box<dyn std::error::Error + Send + Sync>;

/// The parts behind the sessions of a server.
pub type Training = BoxFuture<'static, Result<(), TrainingError>>;

/// A server that is set up and does not listen yet.
pub struct Server {
    state: Arc<AppState>,
    /// The parts behind the sessions.
    training: Training,
    listener: ListenerOptions,
    router: RouterOptions,
    evaluate_every: u64,
    drain_timeout: Duration,
    stop: watch::Sender<bool>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// Creates a server of a run that is not saved.
    ///
    /// # Errors
    /// Returns an error if a thread cannot be started.
    pub fn new(config: Config, data: TrainAndHeldOut) -> std::io::Result<Self> {
        Self::resume(config, data, None)
    }

    /// Creates a server that continues a saved run, if there is one.
    ///
    /// # Errors
    /// Returns an error if a thread cannot be started.
    pub fn resume(
        config: Config,
        data: TrainAndHeldOut,
        saved: Option<SavedRun>,
    ) -> std::io::Result<Self> {
        let journal = saved
            .as_ref()
            .map(|saved| Arc::clone(&saved.writer.counters));
        let options = config.coordinator_options();
        Self::with_training(config, data, journal, |services| {
            let (coordinator, handle) = Coordinator::start(options, services, saved)?;
            let training = async { coordinator.run().await.map_err(Into::into) };
            Ok((Box::pin(training) as Training, handle))
        })
    }

    /// Creates a server with the parts behind its sessions, which end after their gateway is stopped. `journal` are the
    /// counters of a saved run.
    ///
    /// # Errors
    /// Returns an error if these parts cannot be started.
    pub fn with_training(
        config: Config,
        data: TrainAndHeldOut,
        journal: Option<Arc<WriterCounters>>,
        start: impl FnOnce(Services) -> std::io::Result<(Training, GatewayHandle)>,
    ) -> std::io::Result<Self> {
        let counters = Arc::new(Counters::default());
        let admission = Arc::new(Admission::new(config.admission.clone()));
        data.shards.packed();
        let services = Services {
            train: data.shards.data().clone(),
            counters: Arc::clone(&counters),
            admission: Arc::clone(&admission),
        };
        let (training, handle) = start(services)?;
        let (stop, shutdown) = watch::channel(false);
        let state = AppState {
            run: Arc::new(config.run.clone()),
            settings: config.public_settings(),
            limits: config.limits,
            connections: config.connections.limiter(),
            admission,
            data,
            gateway: handle,
            counters,
            history: SharedHistory::default(),
            throughput: ThroughputMeter::default(),
            journal,
            started: Instant::now(),
            started_at: SystemTime::now(),
            shutdown,
        };
        Ok(Self {
            state: Arc::new(state),
            training,
            listener: config.listener_options(),
            router: config.router_options(),
            evaluate_every: config.evaluate_every,
            drain_timeout: config.drain_timeout,
            stop,
        })
    }

    /// Returns the state that request handlers share.
    pub fn state(&self) -> Arc<AppState> {
        Arc::clone(&self.state)
    }

    /// Serves until `shutdown` completes, or until the run cannot be saved.
    ///
    /// The server then says goodbye to every session, waits for them within the drain timeout, and lets the
    /// coordinator finish its queue.
    ///
    /// # Errors
    /// Returns an error if the listener failed or the run could not be saved.
    pub async fn run(
        self,
        sockets: ListenSockets,
        shutdown: impl Future<Output = ()>,
    ) -> std::io::Result<()> {
        let Self {
            state,
            training,
            listener,
            router,
            evaluate_every,
            drain_timeout,
            stop,
        } = self;
        let mut training = tokio::spawn(training);
        let background = [
            tokio::spawn(evaluate(Arc::clone(&state), evaluate_every)),
            tokio::spawn(sample_throughput(Arc::clone(&state))),
            tokio::spawn(persist_bans(Arc::clone(&state))),
        ];
        let listener = Listener::new(
            listener,
            Arc::clone(&state.connections),
            Arc::clone(state.admission.egress()),
            state.shutdown.clone(),
        );
        let mut serve =
            tokio::spawn(listener.serve(sockets, http::router(Arc::clone(&state), router)));
        let mut stopped_early = None;
        let result = tokio::select! {
            ended = &mut serve => ended.map_err(std::io::Error::other),
            () = shutdown => Ok(()),
            early = &mut training => {
                stopped_early = Some(early);
                Ok(())
            }
        };
        tracing::info!(
            event = "stopping",
            sessions = state.session_count(),
            "shutting down"
        );
        stop.send_replace(true);
        let deadline = Instant::now() + drain_timeout;
        if timeout_at(
            deadline.into(),
            state.admission.sessions().wait_until_idle(),
        )
        .await
        .is_err()
        {
            tracing::warn!(
                event = "drain_timeout",
                sessions = state.session_count(),
                "drain timed out"
            );
        }
        if !serve.is_finished() {
            _ = timeout_at(deadline.into(), &mut serve).await; // responses in progress
        }
        serve.abort();
        background.iter().for_each(tokio::task::JoinHandle::abort);
        for task in background {
            _ = task.await; // aborted
        }
        let ended = if let Some(early) = stopped_early {
            early
        } else {
            state.gateway.stop().await;
            training.await
        };
        _ = state.admission.save_bans().await; // bans added during the shutdown; the log has the error
        ended
            .map_err(std::io::Error::other)?
            .map_err(training_stopped)?;
        result
    }
}

fn training_stopped(error: TrainingError) -> std::io::Error {
    tracing::error!(event = "training_stopped", %error, "training stopped");
    std::io::Error::other(error)
}

async fn evaluate(state: Arc<AppState>, every: u64) {
    let evaluator = Evaluator {
        architecture: state.run.architecture.clone(),
        held_out: Arc::clone(&state.data.held_out),
        every,
        history: state.history.clone(),
    };
    evaluator.run(state.gateway.snapshots()).await;
}

async fn persist_bans(state: Arc<AppState>) {
    state.admission.persist_bans().await;
}

async fn sample_throughput(state: Arc<AppState>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        let now = second.tick().await;
        state
            .throughput
            .sample(now.into_std(), state.gateway.accepted());
        state.admission.egress().sample(now.into_std());
    }
}
