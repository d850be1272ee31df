//! The roles of a run over several machines: `farsign gateway`, `farsign learner` and `farsign verifier`.

mod gateway;
mod learner;
mod moving;
mod options;
mod verifier;

pub use gateway::GatewayCommand;
pub use learner::LearnerCommand;
pub use moving::{PullCommand, PushCommand};
pub use verifier::VerifierCommand;

use std::time::Duration;

use farsign_cluster::ClusterError;
use farsign_cluster::run::ClusterRun;
use farsign_server::store::saved_values::RunIdentity;
use tokio::sync::watch;

use crate::signals::{STOPPED_AT_ONCE, StopSignals};

/// Time between two looks for the run.
const WAIT_INTERVAL: Duration = Duration::from_millis(500);

/// Returns a flag that becomes true at the first signal. The second one ends the process at once.
fn stop_flag() -> anyhow::Result<watch::Receiver<bool>> {
    let mut signals = StopSignals::new()?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        signals.recv().await;
        stop.send_replace(true);
        signals.recv().await;
        std::process::exit(STOPPED_AT_ONCE);
    });
    Ok(stopped)
}

/// Waits until a learner has begun the run, and returns its identity without the sampling key.
async fn wait_for_run(run: &ClusterRun) -> Result<RunIdentity, ClusterError> {
    let mut is_reported = false;
    loop {
        if let Some(identity) = run.identity().await? {
            return Ok(identity);
        }
        if !std::mem::replace(&mut is_reported, true) {
            let name = run.names().run();
            tracing::info!(
                event = "waiting_for_run",
                name,
                "waiting for a learner to begin the run"
            );
        }
        tokio::time::sleep(WAIT_INTERVAL).await;
    }
}
