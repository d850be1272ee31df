//! `farsign run push` and `farsign run pull`: a run moves between a state directory and NATS.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use farsign::dataset::hexadecimal;
use farsign::learner::Learner;
use farsign_cluster::ClusterError;
use farsign_cluster::run::StreamOptions;
use farsign_cluster::run::moving::{pull, push};
use farsign_server::Settings;
use farsign_server::store::codec::parameters_digest;
use farsign_server::store::replay::replay;
use farsign_server::store::saved_values::{Checkpoint, LogPosition};
use farsign_server::store::state_dir::StateDir;

use super::options::{NatsArgs, StreamArgs};
use crate::logging::LogFormat;
use crate::open_run::{StateArgs, configure};
use crate::streams;

#[derive(Debug, Args)]
pub struct PushCommand {
    #[command(flatten)]
    state: StateArgs,

    #[command(flatten)]
    nats: NatsArgs,

    #[command(flatten)]
    streams: StreamArgs,
}

impl PushCommand {
    pub fn run(self) -> anyhow::Result<()> {
        let open = self.state.open()?;
        let newest = open.log.newest_checkpoint()?;
        let mut learner = replay(&open.log, &open.config.replay_options(), newest)?;
        learner.end_sessions();
        learner.drop_outputs();
        let identity = open.log.identity();
        let options = StreamOptions::from(&self.streams);
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            let run = self.nats.connect("learner", "push").await?;
            push(&run, identity, &learner.state(), options).await
        })?;
        print_moved(&learner)
    }
}

#[derive(Debug, Args)]
pub struct PullCommand {
    /// State directory that the run is saved in; it must have no run
    #[arg(long, env = "FARSIGN_STATE")]
    state: PathBuf,

    /// Directory of the training data, if it was moved
    #[arg(long, env = "FARSIGN_DATA")]
    data: Option<PathBuf>,

    #[command(flatten)]
    nats: NatsArgs,
}

impl PullCommand {
    pub fn run(self) -> anyhow::Result<()> {
        let state_dir = StateDir::lock(&self.state)?;
        if state_dir.has_run() {
            let dir = self.state.display();
            bail!("expected no saved run in {dir}, found one");
        }
        let runtime = tokio::runtime::Runtime::new()?;
        let (identity, learner) = runtime.block_on(async {
            let run = self.nats.connect("learner", "pull").await?;
            let no_run = || ClusterError::NoRun {
                name: run.names().run().to_owned(),
            };
            let identity = run.secret_identity().await?.ok_or_else(no_run)?;
            let given = Settings {
                data: self.data,
                ..Settings::default()
            };
            let (config, _) = configure(&identity, given, LogFormat::Text)?;
            let options = config.replay_options();
            let options = options.with_sampling_key(identity.keys.sampling);
            let initial = config.initial_checkpoint().state;
            let learner = Box::pin(pull(&run, &identity, options, initial)).await?;
            anyhow::Ok((identity, learner))
        })?;
        let position = LogPosition {
            sequence: learner.position(),
            bytes: 0,
        };
        state_dir.create(&identity, &Checkpoint::of(&learner, position))?;
        print_moved(&learner)
    }
}

fn print_moved(learner: &Learner) -> anyhow::Result<()> {
    let optimizer = learner.optimizer();
    streams::print(format_args!(
        "accepted    {}\nparameters  {}\n",
        optimizer.accepted(),
        hexadecimal(parameters_digest(optimizer.x())),
    ))
}
