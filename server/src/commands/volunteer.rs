//! `farsign volunteer`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use farsign_server::progress::LiveLine;
use farsign_server::volunteer::{self, Attack, Endpoint, Notice, Tally, VolunteerOptions, WorkerEnd};
use tokio::sync::watch;

#[derive(Debug, Args)]
pub struct Volunteer {
    /// Address of the server's page, for example http://127.0.0.1:8080
    #[arg(long)]
    url: Endpoint,

    /// Workers; each uses one core and one connection
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,

    /// Wait before each answer, in ms, to leave the machine to others
    #[arg(long, default_value_t = 0, value_name = "MS")]
    delay_ms: u32,

    /// Ask for snapshots in half precision: half the bytes of a snapshot, but never just the steps since the last
    #[arg(long)]
    half_snapshots: bool,

    /// File that makes these workers the same volunteers next time; made if it is not there
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,

    /// Token that the server asks for
    #[arg(long, env = "FARSIGN_JOIN_TOKEN", hide_env_values = true)]
    join_token: Option<String>,

    /// Misbehave, to show what the server stands
    #[arg(long, value_enum, default_value_t = Attack::None)]
    attack: Attack,

    /// Honest answers of a sleeper before its first lie
    #[arg(long, default_value_t = 500, value_name = "COUNT")]
    honest_answers: u64,

    /// When removed for a lie, come back at once under a new name
    #[arg(long)]
    rejoin: bool,
}

impl Volunteer {
    pub fn run(self) -> anyhow::Result<()> {
        let options = VolunteerOptions {
            endpoint: self.url,
            workers: self.workers.into(),
            attack: self.attack,
            honest_answers: self.honest_answers,
            rejoin: self.rejoin,
            half_snapshots: self.half_snapshots,
            delay: Duration::from_millis(self.delay_ms.into()),
            secret: self.identity.as_deref().map(volunteer::read_or_make).transpose()?,
            token: self.join_token,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (stop, stopping) = watch::channel(false);
        runtime.spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.send_replace(true);
            }
            std::future::pending::<()>().await; // the channel stays open
        });
        let tally = Arc::new(Tally::default());
        runtime.spawn(live_line(Arc::clone(&tally), options.workers));
        let ends = volunteer::run(&options, &tally, &stopping, |index, notice| match notice {
            Notice::Waiting(wait_ms, why) => {
                eprintln!("worker {index}: {why}; trying again in {:.1} s", f64::from(wait_ms) / 1000.0);
            }
            Notice::Rejected(reason) => eprintln!("worker {index}: an answer was rejected: {reason}"),
            Notice::Joined => tracing::debug!(event = "worker_joined", index, "a worker has joined"),
        })?;
        runtime.shutdown_background();
        report(&ends, &tally)
    }
}

async fn live_line(tally: Arc<Tally>, workers: usize) {
    let (mut live, mut second) = (LiveLine::default(), tokio::time::interval(Duration::from_secs(1)));
    let started = Instant::now();
    loop {
        second.tick().await;
        let (accepted, connected) = (tally.accepted(), tally.connected.load(Ordering::Relaxed));
        let rate = accepted as f64 / started.elapsed().as_secs_f64().max(1e-3);
        live.show(format!(
            "accepted {accepted} · {rate:.0} per second · {connected} of {workers} workers connected"
        ));
    }
}

fn report(ends: &[WorkerEnd], tally: &Tally) -> anyhow::Result<()> {
    let rejected = tally.rejected.load(Ordering::Relaxed);
    println!("{} contributions accepted, {rejected} rejected.", tally.accepted());
    let mut lies = tally.lies_before_removals();
    if !lies.is_empty() {
        lies.sort_unstable();
        let (median, most) = (lies[lies.len() / 2], lies[lies.len() - 1]);
        println!("Removed for lies {} times, after {median} lies (median; at most {most}).", lies.len());
    }
    if ends.contains(&WorkerEnd::Finished) {
        println!("The model is finished. Thank you.");
    }
    for end in ends {
        match end {
            WorkerEnd::Failed(error) => bail!("a worker could not go on: {error}"),
            WorkerEnd::Removed(reason) => bail!("the server ended a worker's session: {reason}"),
            WorkerEnd::Finished | WorkerEnd::Stopped => {}
        }
    }
    Ok(())
}
