//! Waiting until something is switched on: that the server stops, or that the run is paused.

use tokio::sync::watch;

/// Ready when the switch is on, or nobody is left who could turn it.
pub async fn turned_on(switch: &mut watch::Receiver<bool>) {
    _ = switch.wait_for(|on| *on).await;
}
