//! Frozen tabs, lost networks and restarted servers.

use serde_json::{Value, json};

use crate::page::{EMULATION, Page, needs_chromium, test_page_with_outage};

async fn wait_for_log(page: &Page, line: &str) {
    page.wait_until_true(&format!(
        "document.getElementById('log').textContent.includes({line:?})"
    ))
    .await;
}

#[test]
fn frozen_tab_resumes() {
    if needs_chromium(EMULATION) {
        return;
    }
    // Chromium closes the connections of a frozen tab and logs that.
    test_page_with_outage(
        &["--model", "softmax", "--schedule", "constant"],
        async |page, _| {
            page.press("start").await;
            page.wait_until("updates", |state| state.count("own-accepted") > 10.0)
                .await;
            page.devtool("Page.setWebLifecycleState", &json!({ "state": "frozen" }));
            page.devtool("Page.setWebLifecycleState", &json!({ "state": "active" }));
            wait_for_log(page, "The browser froze this tab.").await;
            wait_for_log(page, "The browser resumed this tab.").await;
            let before = page.wait_for("working").await.count("own-accepted");
            page.wait_until("more updates", |state| {
                state.count("own-accepted") > before + 10.0
            })
            .await;
        },
    );
}

fn network(offline: bool) -> Value {
    json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 })
}

#[test]
fn reconnects_after_offline() {
    if needs_chromium(EMULATION) {
        return;
    }
    test_page_with_outage(&["--model", "softmax"], async |page, _| {
        page.wait_for("idle").await;
        page.devtool("Network.enable", &json!({}));
        page.devtool("Network.emulateNetworkConditions", &network(true));
        let state = page.wait_for("unreachable").await;
        assert_eq!(state.text("detail"), "This device is offline.");
        assert_eq!(state.buttons(), ["start"]);
        page.devtool("Network.emulateNetworkConditions", &network(false));
        wait_for_log(page, "The network is back.").await;
        page.wait_for("idle").await;
        page.press("start").await;
        page.wait_for("working").await;
    });
}

#[test]
fn page_reconnects_after_server_restart() {
    let folder = tempfile::tempdir().expect("a folder for the run");
    let state_dir = folder.path().join("run").display().to_string();
    let arguments = [
        "--model",
        "softmax",
        "--schedule",
        "constant",
        "--state",
        &state_dir,
    ];
    test_page_with_outage(&arguments, async |page, server| {
        page.press("start").await;
        page.wait_until("updates", |state| state.count("own-accepted") > 10.0)
            .await;

        server.kill();
        let state = page.wait_for("reconnecting").await;
        assert_eq!(
            state.text("detail"),
            "The connection to the server was lost."
        );
        let state = page
            .wait_until("a countdown", |state| !state.text("countdown").is_empty())
            .await;
        assert_eq!(state.buttons(), ["pause", "stop"]);
        let own = state.count("own-accepted");

        server.restart();
        let accepted = server.status()["accepted"].as_f64();
        assert!(accepted >= Some(own), "an acknowledged update is lost");
        page.wait_for("working").await;
        page.wait_until("more updates", |state| {
            state.count("own-accepted") > own + 10.0
        })
        .await;
        let status = server.status();
        assert_eq!(status["volunteers"]["connected"], 1);
        assert!(status["accepted"].as_f64() >= Some(page.state().await.count("own-accepted")));
    });
}
