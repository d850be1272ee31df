//! The number of cores that a page uses.

use farsign_tests::server_process::ServerProcess;

use crate::page::Page;

/// Makes the machine appear to have four cores, and chooses `cores` of them.
pub async fn choose_cores(page: &Page, cores: u32) {
    page.wait_for("idle").await;
    let four = "Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => 4 })";
    page.reload_with(four).await;
    set_cores(page, cores).await;
}

/// Sets the number of cores.
pub async fn set_cores(page: &Page, cores: u32) {
    page.set("cores", &format!("value = '{cores}'"), "change")
        .await;
}

/// Waits until `cores` cores of the only page train.
pub fn wait_for_cores(server: &ServerProcess, cores: u64) {
    server.wait_until(&format!("{cores} cores"), |status| {
        status["volunteers"]["active"] == cores
    });
}

/// Waits until the server has accepted this many further updates of the cores.
pub async fn wait_for_updates(page: &Page, updates: f64) {
    let before = page.state().await.count("own-accepted");
    page.wait_until("updates", |state| {
        state.count("own-accepted") >= before + updates
    })
    .await;
}
