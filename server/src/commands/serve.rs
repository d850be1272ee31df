//! `farsign serve`

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use farsign_server::app::{App, Server};
use farsign_server::config::Config;
use farsign_server::config::binding::resume;
use farsign_server::dataset_source::{self, TrainAndHeldOut};
use farsign_server::edge::{self, EdgeLimits, files};
use farsign_server::progress::LiveLine;
use farsign_server::settings::Settings;
use farsign_server::status::Status;
use farsign_server::store::folder::{Folder, Opened, Rescued};
use farsign_server::store::log::Log;
use farsign_server::store::run::{SavedRun, beginning, check_data, identity};

use super::interrupts::Interrupts;
use super::log::LogFormat;

/// A start that takes longer is told of: whoever waits for the server may think that it hangs.
const SLOW_START: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct Serve {
    /// TOML file with settings; flags and environment variables win over it
    #[arg(long, env = "FARSIGN_CONFIG")]
    config: Option<PathBuf>,

    /// Print the settings given so far as TOML and exit
    #[arg(long)]
    print_config: bool,

    /// Begin a new run in the --state folder; the one that is there is moved aside
    #[arg(long)]
    fresh: bool,

    /// How the log on standard error is written; FARSIGN_LOG sets its level
    #[arg(long, value_enum, default_value_t, env = "FARSIGN_LOG_FORMAT")]
    pub log_format: LogFormat,

    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    pub fn run(self) -> anyhow::Result<()> {
        let began = Instant::now();
        let settings = match &self.config {
            Some(path) => self.settings.or(read(path)?),
            None => self.settings,
        };
        if self.print_config {
            print!("{}", settings.to_toml());
            return Ok(());
        }
        let server = match settings.state.clone() {
            Some(folder) => saved(&folder, settings, self.fresh)?,
            None if self.fresh => {
                bail!("--fresh: expected --state with the folder of the saved run, found none")
            }
            None => {
                let data = dataset_source::load(settings.data.as_deref())?;
                Server::new(configuration(&settings, &data)?, data)?
            }
        };
        tokio::runtime::Runtime::new()?.block_on(serve(server, self.log_format, began))
    }
}

fn configuration(settings: &Settings, data: &TrainAndHeldOut) -> anyhow::Result<Config> {
    let mut config = Config::new(settings, &data.train, rand::random())?;
    make_room(&mut config.edge, settings.max_connections.is_some())?;
    Ok(config)
}

/// A server of the run that is saved in a folder, or of one that begins there.
fn saved(path: &Path, settings: Settings, fresh: bool) -> anyhow::Result<Server> {
    let folder = Folder::lock(path)?;
    let log = if !fresh && folder.has_run() { Some(open(&folder)?) } else { None };
    let settings = match &log {
        Some(log) => resume(settings, log.identity())?,
        None => settings,
    };
    let data = dataset_source::load(settings.data.as_deref())?;
    let config = configuration(&settings, &data)?;
    let log = if let Some(log) = log {
        check_data(log.identity(), &data.train)?;
        log
    } else {
        if let Some(kept) = folder.set_aside()? {
            println!("The earlier run is kept as {}.", kept.display());
        }
        folder.create(&identity(&config), &beginning(&config))?
    };
    let is_new = log.head().sequence == 0;
    let run = SavedRun::resume(log, Some(folder), &config)?;
    let (accepted, progress) = (run.optimizer.accepted(), run.optimizer.progress());
    if is_new {
        println!("The run is saved in {}.", path.display());
    } else {
        let progress = progress.map_or(String::new(), |share| format!(", {:.1} % of the run", 100.0 * share));
        println!("Resumed from {}: {accepted} accepted contributions{progress}.", path.display());
    }
    Ok(Server::resume(config, data, Some(run))?)
}

/// The log of a folder, with a word on what was lost of it.
fn open(folder: &Folder) -> anyhow::Result<Log> {
    let Opened { log, rescued } = folder.open()?;
    if let Some(Rescued { why, kept, accepted }) = rescued {
        let kept = kept.map_or(String::new(), |file| format!(" The file is kept as {}.", file.display()));
        tracing::warn!(
            event = "rescued",
            accepted,
            "{why}.{kept} The run goes on from its last checkpoint, with {accepted} accepted contributions; what was \
             accepted after it is lost."
        );
    }
    Ok(log)
}

fn read(path: &PathBuf) -> anyhow::Result<Settings> {
    let text = std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    match Settings::from_toml(&text) {
        Ok(settings) => Ok(settings),
        Err(mistakes) => bail!("mistakes in {}:\n  - {}", path.display(), mistakes.join("\n  - ")),
    }
}

/// Has the system allow as many connections as are wanted, or wants no more than it allows; which is said where the
/// host has asked for a number.
fn make_room(limits: &mut EdgeLimits, asked: bool) -> anyhow::Result<()> {
    let wanted = limits.max_connections;
    let room = files::make_room(wanted).context("could not read the limit on open files")?;
    limits.max_connections = wanted.min(room);
    if room < wanted && asked {
        tracing::warn!(
            event = "fewer_connections",
            room,
            "max-connections: expected at most the {room} that the system allows, found {wanted}"
        );
    }
    Ok(())
}

async fn serve(server: Server, log: LogFormat, began: Instant) -> anyhow::Result<()> {
    let app = server.app();
    let listen = app.config.listen;
    let listener = edge::listen(listen)
        .with_context(|| format!("could not listen on {listen}; another --listen HOST:PORT may be free"))?;
    let address = listener.local_addr()?;
    let mut interrupts = Interrupts::new()?;
    let scheme = if app.config.tls.is_some() { "https" } else { "http" };
    // Whoever reads this may have heard enough after the first line; the server goes on.
    _ = writeln!(
        std::io::stdout(),
        "Training {} on {} (seed {}).\n\
         Open {scheme}://{address} and press Start. Ctrl-C stops the server.\n\
         Watch it at {scheme}://{address}/dashboard.",
        app.config.run.architecture,
        app.data.name,
        app.config.seed
    );
    tell_of_start(&app, address, began.elapsed());
    let live = (log == LogFormat::Text).then(|| tokio::spawn(live_line(Arc::clone(&app))));
    let interrupted = async move {
        interrupts.next().await;
        tokio::spawn(async move {
            interrupts.next().await;
            std::process::exit(130); // a second one ends the process at once
        });
    };
    server.run(listener, interrupted).await.context("the server failed")?;
    tracing::info!(
        event = "stopped",
        accepted = app.coordinator.snapshot().accepted,
        "the server has stopped"
    );
    if let Some(live) = live {
        live.abort();
        LiveLine::default().finish(&format!("Stopped. {}", line(&app)));
    }
    Ok(())
}

fn tell_of_start(app: &App, address: SocketAddr, took: Duration) {
    let (accepted, took_ms) = (app.coordinator.snapshot().accepted, took.as_millis() as u64);
    let run = format!("{:016x}", app.config.run.run_id);
    tracing::info!(event = "started", %address, run, accepted, took_ms, "the server listens");
    if took > SLOW_START {
        tracing::warn!(event = "slow_start", took_ms, "it took long to start; a saved run is computed again");
    }
}

async fn live_line(app: Arc<App>) {
    let (mut live, mut second) = (LiveLine::default(), tokio::time::interval(Duration::from_secs(1)));
    loop {
        second.tick().await;
        live.show(line(&app));
    }
}

fn line(app: &App) -> String {
    let status = Status::of(app);
    let accuracy = status.held_out.accuracy.map_or("–".to_owned(), |a| format!("{:.1} %", 100.0 * a));
    let rejected: u64 = status.rejected.values().sum();
    let finished = if app.coordinator.snapshot().is_finished() { " · the model is finished" } else { "" };
    format!(
        "accepted {} · {:.0} per second · accuracy {accuracy} · volunteers {} · rejected {rejected}{finished}",
        status.accepted,
        status.contributions_per_s,
        app.connected(),
    )
}
