//! `farsign verifier`

use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use farsign_cluster::roles::verifier::VerifierRole;
use farsign_server::config::pinned::resume;
use farsign_server::store::saved_run::verify_dataset;
use farsign_server::{Config, Settings};

use super::options::ClusterArgs;
use super::{stop_flag, wait_for_run};
use crate::load_data;

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
        let settings = resume(self.cluster.settings(self.settings.clone())?, &identity)?;
        let loaded = load_data::load(&settings.data_source(), self.cluster.log_format)?;
        let train = loaded.data.shards.data();
        verify_dataset(&identity, train)?;
        let config = Config::new(&settings, &loaded.data, 0)?;
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
