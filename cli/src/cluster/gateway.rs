//! `farsign gateway`

use std::time::{Duration, Instant};

use clap::Args;
use farsign_cluster::roles::gateway::ConnectedGateway;
use farsign_server::Settings;
use farsign_server::config::pinned::resume;
use farsign_server::gateway::GatewayError;
use farsign_server::store::saved_run::verify_dataset;

use super::options::ClusterArgs;
use super::wait_for_run;
use crate::load_data;
use crate::serve::{Prepared, config, serve};

/// Time before a gateway that has lost the run begins anew.
const RESTART_DELAY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub struct GatewayCommand {
    #[command(flatten)]
    pub cluster: ClusterArgs,

    #[command(flatten)]
    settings: Settings,
}

impl GatewayCommand {
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Runtime::new()?;
        let mut has_served = false;
        loop {
            match runtime.block_on(self.serve()) {
                // Once it has served, what failed is the cluster, not the settings.
                Err(error) if has_served || is_lost(&error) => {
                    has_served = true;
                    let error = format!("{error:#}");
                    tracing::warn!(event = "gateway_restarted", error, "gateway begins anew");
                    std::thread::sleep(RESTART_DELAY);
                }
                ended => return ended,
            }
        }
    }

    async fn serve(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        let run = self.cluster.connect("gateway").await?;
        let identity = wait_for_run(&run).await?;
        let settings = resume(self.cluster.settings(self.settings.clone())?, &identity)?;
        let log_format = self.cluster.log_format;
        let loaded = load_data::load_for_volunteers(&settings.data_source(), log_format)?;
        verify_dataset(&identity, loaded.data.shards.data())?;
        let config = config(&settings, &loaded.data)?;
        let parameters = config.run.directions.parameters();
        let gateway = ConnectedGateway::connect(run, parameters).await?;
        let prepared = Prepared::new(config, loaded, |config, data| {
            gateway.serve(config, data, &identity)
        })?;
        serve(prepared, log_format, started).await
    }
}

/// Returns whether the gateway has lost the run, so that it begins anew.
fn is_lost(error: &anyhow::Error) -> bool {
    let mut causes = error.chain();
    causes.any(|cause| {
        let inner = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref::<GatewayError>());
        matches!(inner, Some(GatewayError::Lost | GatewayError::Board(_)))
    })
}
