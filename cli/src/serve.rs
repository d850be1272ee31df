//! `farsign serve`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use farsign_server::config::pinned::resume;
use farsign_server::data::loader::TrainAndHeldOut;
use farsign_server::http::status::Status;
use farsign_server::net::fd_limit;
use farsign_server::net::listen_address::ListenAddress;
use farsign_server::net::listen_sockets;
use farsign_server::net::listener::ConnectionLimits;
use farsign_server::state::AppState;
use farsign_server::store::run_database::RunDatabase;
use farsign_server::store::saved_run::verify_dataset;
use farsign_server::store::state_dir::{OpenedRun, RecoveredRun, StateDir};
use farsign_server::{Config, SavedRun, Server, Settings};

use crate::load_data::{self, LoadedData};
use crate::logging::LogFormat;
use crate::signals::{STOPPED_AT_ONCE, StopSignals};
use crate::status_line::StatusLine;
use crate::{input, streams};

/// Time to start after which a warning is logged.
const SLOW_START_WARNING: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct Serve {
    /// TOML file with settings, or `-` for standard input; flags and environment variables take precedence
    #[arg(long, env = "FARSIGN_CONFIG")]
    config: Option<PathBuf>,

    /// Print the settings given so far as TOML and exit
    #[arg(long)]
    print_config: bool,

    /// Start a new run in the --state directory and archive the existing one
    #[arg(long)]
    fresh: bool,

    /// Format of the log on standard error; FARSIGN_LOG sets its level
    #[arg(long, value_enum, default_value_t, env = "FARSIGN_LOG_FORMAT")]
    pub log_format: LogFormat,

    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    pub fn run(self) -> anyhow::Result<()> {
        let started = Instant::now();
        let settings = read_settings(self.config.as_deref(), self.settings)?;
        if self.print_config {
            return streams::print(settings.to_toml());
        }
        for path in [&settings.state, &settings.ban_file].into_iter().flatten() {
            if path.as_os_str() == "-" {
                bail!(
                    "expected a path, found standard output; a file or folder of this name is ./-"
                )
            }
        }
        let prepared = match settings.state.clone() {
            Some(path) => prepare_saved(&path, settings, self.fresh, self.log_format)?,
            None if self.fresh => {
                bail!("--fresh: expected --state with the directory of the saved run, found none")
            }
            None => {
                let loaded =
                    load_data::load_for_volunteers(&settings.data_source(), self.log_format)?;
                let config = config(&settings, &loaded.data)?;
                Prepared::new(config, loaded, Server::new)?
            }
        };
        tokio::runtime::Runtime::new()?.block_on(serve(prepared, self.log_format, started))
    }
}

/// Returns the given settings, and those of a file where none are given.
pub fn read_settings(file: Option<&Path>, given: Settings) -> anyhow::Result<Settings> {
    match file {
        Some(path) => Ok(given.or(read(path)?)),
        None => Ok(given),
    }
}

fn read(path: &Path) -> anyhow::Result<Settings> {
    let text = input::read(path)?;
    match Settings::from_toml(&text) {
        Ok(settings) => Ok(settings),
        Err(errors) => bail!(
            "invalid settings in {}:\n  - {}",
            path.display(),
            errors.join("\n  - ")
        ),
    }
}

/// Validates settings, and fits the limit of connections to that of the system.
pub fn config(settings: &Settings, data: &TrainAndHeldOut) -> anyhow::Result<Config> {
    let mut config = Config::new(settings, data, rand::random())?;
    fit_connection_limit(&mut config.connections, settings.max_connections.is_some())?;
    Ok(config)
}

/// Raises the system's limit on open files, and lowers the connection limit to it if necessary.
///
/// Logs a warning if the operator requested a higher limit.
fn fit_connection_limit(limits: &mut ConnectionLimits, is_requested: bool) -> anyhow::Result<()> {
    let requested = limits.max_connections;
    let room = fd_limit::raise_nofile_limit(requested)
        .context("could not read the limit on open files")?;
    limits.max_connections = requested.min(room);
    if room < requested && is_requested {
        tracing::warn!(
            event = "connection_limit_lowered",
            room,
            requested,
            "connection limit lowered"
        );
    }
    Ok(())
}

/// A server, with the settings that are printed when it starts.
pub struct Prepared {
    server: Server,
    listen: ListenAddress,
    scheme: &'static str,
    seed: u64,
    /// Time that loading the data took.
    data_took: Duration,
}

impl Prepared {
    /// Prepares the server that `create` makes of its configuration and data.
    pub fn new(
        config: Config,
        loaded: LoadedData,
        create: impl FnOnce(Config, TrainAndHeldOut) -> std::io::Result<Server>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            listen: config.listen.clone(),
            scheme: if config.tls.is_some() {
                "https"
            } else {
                "http"
            },
            seed: config.seed,
            server: create(config, loaded.data)?,
            data_took: loaded.took,
        })
    }
}

/// Prepares a server of the run in a state directory, or of a new run there.
fn prepare_saved(
    path: &Path,
    settings: Settings,
    fresh: bool,
    log_format: LogFormat,
) -> anyhow::Result<Prepared> {
    let state_dir = StateDir::lock(path)?;
    let log = if !fresh && state_dir.has_run() {
        Some(open(&state_dir)?)
    } else {
        None
    };
    let settings = match &log {
        Some(log) => resume(settings, log.identity())?,
        None => settings,
    };
    let loaded = load_data::load_for_volunteers(&settings.data_source(), log_format)?;
    let config = config(&settings, &loaded.data)?;
    let log = if let Some(log) = log {
        verify_dataset(log.identity(), loaded.data.shards.data())?;
        log
    } else {
        if let Some(archived) = state_dir.archive()? {
            streams::announce(format_args!(
                "The previous run is archived as {}.",
                archived.display()
            ));
        }
        state_dir.create(&config.run_identity(), &config.initial_checkpoint())?
    };
    let is_new = log.position().sequence == 0;
    let run = SavedRun::restore(log, Some(state_dir), &config.replay_options(), config.store)?;
    if is_new {
        streams::announce(format_args!("The run is saved in {}.", path.display()));
    } else {
        let accepted = run.learner.optimizer().accepted();
        let progress = run.learner.optimizer().progress();
        let progress = progress.map_or(String::new(), |fraction| {
            format!(", {:.1} % of the run", 100.0 * fraction)
        });
        streams::announce(format_args!(
            "Resumed from {}: {accepted} accepted updates{progress}.",
            path.display()
        ));
    }
    Prepared::new(config, loaded, |config, data| {
        Server::resume(config, data, Some(run))
    })
}

/// Opens the log of a state directory, from the backup if the log is damaged.
fn open(state_dir: &StateDir) -> anyhow::Result<RunDatabase> {
    let OpenedRun { log, recovered } = state_dir.open()?;
    if let Some(RecoveredRun {
        cause,
        archived,
        accepted,
    }) = recovered
    {
        let archived = archived.map(|file| file.display().to_string());
        tracing::warn!(
            event = "recovered",
            accepted,
            cause,
            archived,
            "run recovered from backup"
        );
        streams::announce(
            "The saved run was damaged. It continues from its last checkpoint; later updates are lost.",
        );
    }
    Ok(log)
}

/// Serves until a signal stops the server.
pub async fn serve(
    prepared: Prepared,
    log_format: LogFormat,
    started: Instant,
) -> anyhow::Result<()> {
    let Prepared {
        server,
        listen,
        scheme,
        seed,
        data_took,
    } = prepared;
    let state = server.state();
    let sockets = listen_sockets::bind(&listen).with_context(|| {
        format!("could not listen on {listen}; choose another --listen HOST:PORT")
    })?;
    let addresses = sockets.local_addrs()?;
    let mut signals = StopSignals::new()?;
    let page = Page {
        url: format!("{scheme}://{}", listen.url_authority(addresses[0])),
        addresses,
    };
    page.print_welcome(&state, seed);
    log_started(&state, &page.addresses, started.elapsed(), data_took);
    let status_task =
        (log_format == LogFormat::Text).then(|| tokio::spawn(show_status(Arc::clone(&state))));
    let stop_requested = async move {
        signals.recv().await;
        tokio::spawn(async move {
            signals.recv().await;
            std::process::exit(STOPPED_AT_ONCE); // a second signal ends the process at once
        });
    };
    let ended = server.run(sockets, stop_requested).await;
    if let Some(status_task) = &status_task {
        status_task.abort();
    }
    ended.context("the server failed")?;
    tracing::info!(
        event = "stopped",
        accepted = state.gateway.accepted(),
        "server stopped"
    );
    if status_task.is_some() {
        StatusLine::default().finish(&format!("Stopped. {}", status_text(&state)));
    }
    Ok(())
}

/// The page of a server.
struct Page {
    /// Address that a browser on this machine opens.
    url: String,
    /// Addresses that the server listens on.
    addresses: Vec<SocketAddr>,
}

impl Page {
    fn print_welcome(&self, state: &AppState, seed: u64) {
        let Self { url, addresses } = self;
        streams::announce(format_args!(
            "Training {} on {} (seed {seed}).\n\
             Open {url} and press Start. Ctrl-C stops the server.\n\
             The dashboard is at {url}/dashboard.",
            state.run.architecture, state.data.name,
        ));
        if addresses
            .iter()
            .any(|address| address.ip().is_unspecified())
        {
            streams::announce(format_args!(
                "The server listens on all addresses of this machine. Other machines open its address or name, port {}.",
                addresses[0].port()
            ));
        }
    }
}

fn log_started(state: &AppState, addresses: &[SocketAddr], took: Duration, data_took: Duration) {
    let address = addresses
        .iter()
        .map(SocketAddr::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let accepted = state.gateway.accepted();
    let took_ms = took.as_millis() as u64;
    let run = format!("{:016x}", state.run.run_id);
    tracing::info!(
        event = "started",
        address,
        run,
        accepted,
        took_ms,
        "server started"
    );
    if took > SLOW_START_WARNING {
        let data_ms = data_took.as_millis() as u64;
        tracing::warn!(event = "slow_start", took_ms, data_ms, "start was slow");
    }
}

async fn show_status(state: Arc<AppState>) {
    let mut status_line = StatusLine::default();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        status_line.update(status_text(&state));
    }
}

fn status_text(state: &AppState) -> String {
    let status = Status::collect(state);
    let accuracy = status
        .held_out
        .accuracy
        .map_or("–".to_owned(), |a| format!("{:.1} %", 100.0 * a));
    let rejected: u64 = status.rejected.values().sum();
    let finished = if state.gateway.snapshot().is_finished() {
        " · the model is finished"
    } else {
        ""
    };
    format!(
        "accepted {} · {:.0} per second · accuracy {accuracy} · volunteers {} · rejected {rejected}{finished}",
        status.accepted,
        status.updates_per_s,
        state.session_count(),
    )
}
