//! State that all request handlers share.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use farsign::task::RunSettings;
use tokio::sync::watch;

use crate::admission::Admission;
use crate::counters::Counters;
use crate::data::loader::TrainAndHeldOut;
use crate::evaluation::SharedHistory;
use crate::gateway::GatewayHandle;
use crate::net::connection_limiter::ConnectionLimiter;
use crate::store::writer::WriterCounters;
use crate::throughput::ThroughputMeter;

/// The shared state of a server.
#[derive(Debug)]
pub struct AppState {
    /// The run, as volunteers receive it.
    pub run: Arc<RunSettings>,
    /// Public settings of the run.
    pub settings: PublicSettings,
    /// Limits of sessions.
    pub limits: SessionLimits,
    /// The data of the run.
    pub data: TrainAndHeldOut,
    /// Access to the gateway and its snapshots.
    pub gateway: GatewayHandle,
    /// Event counters.
    pub counters: Arc<Counters>,
    /// Past evaluations.
    pub history: SharedHistory,
    /// The rate of accepted updates.
    pub throughput: ThroughputMeter,
    /// Counters of the journal; `None` if the run is not saved.
    pub journal: Option<Arc<WriterCounters>>,
    /// Start of the server, on the monotonic clock.
    pub started: Instant,
    /// Start of the server, on the system clock.
    pub started_at: SystemTime,
    /// The limiter of connections.
    pub connections: Arc<ConnectionLimiter>,
    /// Admission control; it holds the limiter of sessions.
    pub admission: Arc<Admission>,
    /// A flag that becomes true when the server shuts down.
    pub shutdown: watch::Receiver<bool>,
}

/// Limits of sessions.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// From a task to its update.
    pub task_timeout: Duration,
    /// From the connection to the hello.
    pub hello_timeout: Duration,
    /// From the start of a write to its end.
    pub write_timeout: Duration,
    /// Between two pings.
    pub ping_interval: Duration,
}

/// The settings of a run that anyone may read: no seed, no token, no path on the operator's machine.
#[derive(Clone, Debug)]
pub struct PublicSettings {
    /// Name of the rule (`verified`, `plain`, `vote`).
    pub rule: &'static str,
    /// Updates, by weight, until the model is finished; `None` if the run has no end.
    pub planned_updates: Option<f64>,
    /// Every setting that decides the effect of an update, defaults included.
    pub table: toml::Table,
}

impl AppState {
    /// Returns the number of open sessions.
    pub fn session_count(&self) -> usize {
        self.admission.sessions().in_use()
    }
}
