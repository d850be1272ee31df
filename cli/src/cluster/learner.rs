//! `farsign learner`

use anyhow::Context;
use clap::Args;
use farsign_cluster::roles::learner::LearnerRole;
use farsign_cluster::run::{ClusterRun, StreamOptions};
use farsign_server::store::saved_values::RunIdentity;
use farsign_server::{Config, Settings};

use super::options::{ClusterArgs, StreamArgs};
use super::stop_flag;
use crate::load_data;
use crate::open_run::configure;

#[derive(Debug, Args)]
pub struct LearnerCommand {
    #[command(flatten)]
    pub cluster: ClusterArgs,

    #[command(flatten)]
    streams: StreamArgs,

    #[command(flatten)]
    settings: Settings,
}

impl LearnerCommand {
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(self.learn())
    }

    async fn learn(self) -> anyhow::Result<()> {
        let stop = stop_flag()?;
        let run = self.cluster.connect("learner").await?;
        let given = self.cluster.settings(self.settings.clone())?;
        let (config, identity) = self.open(&run, given).await?;
        let role = LearnerRole::new(run, config, identity, self.cluster.name("learner"));
        role.run(stop).await.context("the learner failed")?;
        tracing::info!(event = "stopped", "learner stopped");
        Ok(())
    }

    /// Opens the run, or begins it.
    async fn open(
        &self,
        run: &ClusterRun,
        given: Settings,
    ) -> anyhow::Result<(Config, RunIdentity)> {
        loop {
            if let Some(identity) = run.secret_identity().await? {
                let (config, _) = configure(&identity, given, self.cluster.log_format)?;
                return Ok((config, identity));
            }
            let data = load_data::load(&given.data_source(), self.cluster.log_format)?.data;
            let config = Config::new(&given, &data, rand::random())?;
            let options = StreamOptions::from(&self.streams);
            if run.create(&config.run_identity(), options, 0).await?
                && let Some(identity) = run.secret_identity().await?
            {
                let name = run.names().run();
                tracing::info!(event = "run_created", name, "run created");
                return Ok((config, identity));
            } // else another learner has begun the run
        }
    }
}
