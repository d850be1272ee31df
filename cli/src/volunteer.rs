//! `farsign volunteer`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use farsign::wire::check_join_token;
use farsign_volunteer::{
    Attack, FleetError, FleetOptions, FleetStats, RemoteServer, WorkerEvent, WorkerExit,
    load_or_create, run_fleet,
};
use tokio::sync::{oneshot, watch};

use crate::byte_budget::{ByteBudget, format_bytes};
use crate::network::NetworkArgs;
use crate::output::path_parser;
use crate::signals::{STOPPED_AT_ONCE, StopSignals};
use crate::status_line::StatusLine;
use crate::streams;

/// Time for workers to stop after a signal. Longer updates and downloads are abandoned.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub struct Volunteer {
    /// Address of the server's page, for example http://127.0.0.1:8080 or https://USER:PASSWORD@farsign.example/train/
    #[arg(long)]
    url: String,

    #[command(flatten)]
    network: NetworkArgs,

    /// Workers; each uses one core and one connection
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,

    /// Percentage of its time for which each worker computes; it rests after each update
    #[arg(long, default_value_t = 100, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=100))]
    effort: u32,

    /// Further rest after each update, in ms
    #[arg(long, default_value_t = 0, value_name = "MS")]
    delay_ms: u32,

    /// Bytes that all workers may send and receive in an hour, such as 100MB: at least 1MB, or `off` for any number
    /// [default: 1GB; off for a server on this machine]
    #[arg(long, value_name = "BYTES")]
    max_bytes_per_hour: Option<ByteBudget>,

    /// File that keeps the workers' identities between runs; created if missing
    #[arg(long, value_name = "FILE", value_parser = path_parser())]
    identity: Option<PathBuf>,

    /// Token that the server requires
    #[arg(long, env = "FARSIGN_JOIN_TOKEN", hide_env_values = true)]
    join_token: Option<String>,

    /// Simulate a Byzantine volunteer (for testing)
    #[arg(long, value_enum, default_value_t = Attack::None)]
    attack: Attack,

    /// Honest updates of a sleeper before its attack
    #[arg(long, default_value_t = 500, value_name = "COUNT")]
    honest_updates: u64,

    /// Rejoin at once under a new identity after a failed verification
    #[arg(long)]
    rejoin: bool,
}

impl Volunteer {
    pub fn run(self) -> anyhow::Result<()> {
        let server = self.network.server(&self.url)?;
        let budget = self
            .max_bytes_per_hour
            .unwrap_or_else(|| default_budget(&server));
        let options = FleetOptions {
            max_bytes_per_hour: budget.bytes(),
            server,
            workers: self.workers.into(),
            attack: self.attack,
            honest_updates: self.honest_updates,
            rejoin: self.rejoin,
            effort_percent: self.effort,
            delay: Duration::from_millis(self.delay_ms.into()),
            secret: self.identity.as_deref().map(load_or_create).transpose()?,
            token: self.join_token.as_deref().map(join_token).transpose()?,
        };
        let stats = Arc::new(FleetStats::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let exits = runtime.block_on(run_until_signal(options, &stats))?;
        summarize(&exits, &stats)
    }
}

type Exits = Result<Vec<WorkerExit>, FleetError>;

/// Runs a fleet until it ends, or until a signal. The exits of workers that do not stop in time are missing.
async fn run_until_signal(
    options: FleetOptions,
    stats: &Arc<FleetStats>,
) -> anyhow::Result<Vec<WorkerExit>> {
    let mut signals = StopSignals::new()?;
    let (stop, stopping) = watch::channel(false);
    let status = tokio::spawn(show_status(
        Arc::clone(stats),
        options.workers,
        options.max_bytes_per_hour,
    ));
    let mut fleet = start_fleet(options, Arc::clone(stats), stopping)?;
    let exits = tokio::select! {
        exits = &mut fleet => exits??,
        () = signals.recv() => {
            stop.send_replace(true);
            tokio::select! {
                exits = &mut fleet => exits??,
                () = tokio::time::sleep(STOP_TIMEOUT) => Vec::new(),
                () = signals.recv() => std::process::exit(STOPPED_AT_ONCE),
            }
        }
    };
    status.abort();
    Ok(exits)
}

/// Starts a fleet on a thread of its own, because a download blocks it.
fn start_fleet(
    options: FleetOptions,
    stats: Arc<FleetStats>,
    stopping: watch::Receiver<bool>,
) -> std::io::Result<oneshot::Receiver<Exits>> {
    let (ended, exits) = oneshot::channel();
    std::thread::Builder::new()
        .name("fleet".to_owned())
        .spawn(move || _ = ended.send(run_fleet(&options, &stats, &stopping, report_event)))?;
    Ok(exits)
}

/// Returns the budget without the flag: about 2 Mbit/s, a small part of an ordinary line. A native volunteer gives
/// whole cores of a machine that is set up for it, so it may use more than a visitor's page.
fn default_budget(server: &RemoteServer) -> ByteBudget {
    const BYTES_PER_HOUR: u64 = 1_000_000_000;
    if server.is_on_this_machine() {
        ByteBudget::OFF
    } else {
        ByteBudget::new(BYTES_PER_HOUR)
    }
}

fn join_token(setting: &str) -> anyhow::Result<String> {
    let token = check_join_token(setting).context("--join-token")?;
    Ok(token.to_owned())
}

fn report_event(index: usize, event: WorkerEvent) {
    match event {
        WorkerEvent::Waiting { delay_ms, cause } => {
            let delay_s = f64::from(delay_ms) / 1000.0;
            streams::note(format_args!(
                "worker {index}: {cause}; retrying in {delay_s:.1} s"
            ));
        }
        WorkerEvent::DataIncomplete(cause) => {
            streams::note(format_args!(
                "training continues on a part of the training data: {cause}"
            ));
        }
        WorkerEvent::Rejected(reason) => {
            streams::note(format_args!(
                "worker {index}: an update was rejected: {reason}"
            ));
        }
        WorkerEvent::Resting(rest) => {
            let rest_ms = rest.as_millis() as u64;
            tracing::debug!(
                event = "worker_resting",
                index,
                rest_ms,
                "worker left for rest"
            );
        }
        WorkerEvent::LineBudgetUsed(rest) => {
            let minutes = rest.as_secs().div_ceil(60);
            streams::note(format_args!(
                "worker {index}: the line budget is used up; it continues in {minutes} min"
            ));
        }
        WorkerEvent::Joined => tracing::debug!(event = "worker_joined", index, "worker joined"),
    }
}

async fn show_status(stats: Arc<FleetStats>, workers: usize, max_bytes_per_hour: Option<u64>) {
    let mut status_line = StatusLine::default();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let started = Instant::now();
    loop {
        second.tick().await;
        let accepted = stats.accepted();
        let connected = stats.connected.load(Ordering::Relaxed);
        let per_second = accepted as f64 / started.elapsed().as_secs_f64().max(1e-3);
        let line = describe_line(&stats, max_bytes_per_hour);
        let shards = stats.shards.load(Ordering::Relaxed);
        let held = stats.held_shards.load(Ordering::Relaxed);
        let data = if held < shards {
            format!(" · {held} of {shards} shards of the training data")
        } else {
            String::new()
        };
        status_line.update(format!(
            "accepted {accepted} · {per_second:.0} per second · {connected} of {workers} workers connected · {line}{data}"
        ));
    }
}

/// Returns the bytes of the last hour, and the budget.
fn describe_line(stats: &FleetStats, max_bytes_per_hour: Option<u64>) -> String {
    let used = format_bytes(stats.line.used_bytes());
    match max_bytes_per_hour {
        Some(budget) => format!("line {used} of {} in an hour", format_bytes(budget)),
        None => format!("line {used} in an hour"),
    }
}

fn summarize(exits: &[WorkerExit], stats: &FleetStats) -> anyhow::Result<()> {
    let rejected = stats.rejected.load(Ordering::Relaxed);
    streams::announce(format_args!(
        "{} updates accepted, {rejected} rejected.",
        stats.accepted()
    ));
    streams::announce(format_args!(
        "{} sent and received.",
        format_bytes(stats.line.total_bytes())
    ));
    let mut counts = stats.malicious_updates_per_ejection();
    counts.sort_unstable();
    if let Some(max) = counts.last() {
        let ejections = counts.len();
        let median = counts[ejections / 2];
        streams::announce(format_args!(
            "Ejected {ejections} times for a failed verification, after {median} malicious updates (median; at most {max})."
        ));
    }
    if exits.contains(&WorkerExit::Finished) {
        streams::announce("The model is finished. Thank you.");
    }
    for exit in exits {
        match exit {
            WorkerExit::Failed(error) => bail!("a worker failed: {error}"),
            WorkerExit::NoData(error) => bail!("a worker has no training data: {error}"),
            WorkerExit::Ejected(reason) => bail!("the server ended a worker's session: {reason}"),
            WorkerExit::Finished | WorkerExit::Stopped => {}
        }
    }
    Ok(())
}
