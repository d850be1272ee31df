//! Waiting for a flag, such as the shutdown of the server or a pause of the run.

use tokio::sync::watch;

/// Completes when the flag becomes true or its sender is dropped.
pub async fn cancelled(flag: &mut watch::Receiver<bool>) {
    _ = flag.wait_for(|set| *set).await;
}
