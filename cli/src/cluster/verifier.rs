//! `farsign verifier`

use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use farsign_cluster::roles::verifier::VerifierRole;
use farsign_server::Settings;

use super::options::ClusterArgs;
use super::{stop_flag, wait_for_run};
use crate::open_run::configure;

#[derive(Debug, Args)]
pub struct VerifierCommand {
    #[command(flatten)]
    pub cluster: ClusterArgs,

    #[command(flatten)]
    settings: Settings,
}

impl VerifierCommand {
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(self.verify())
    }

    async fn verify(self) -> anyhow::Result<()> {
        let stop = stop_flag()?;
        let run = self.cluster.connect("verifier").await?;
        let identity = wait_for_run(&run).await?;
        let given = self.cluster.settings(self.settings.clone())?;
        let (config, data) = configure(&identity, given, self.cluster.log_format)?;
        let train = data.shards.data();
        let Some(options) = config.verification else {
            bail!(
                "expected a run with the rule verified, found one whose updates are not verified"
            );
        };
        let counters = Arc::default();
        let role = VerifierRole::start(run, options, config.run, train.clone(), counters)?;
        tracing::info!(event = "verifier_started", "verifier started");
        role.run(stop).await.context("the verifier failed")?;
        tracing::info!(event = "stopped", "verifier stopped");
        Ok(())
    }
}
