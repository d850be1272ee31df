//! What happens to tabs: they are frozen and go on, the network goes and comes back.

use serde_json::{Value, json};

use crate::page::{EMULATION, Page, needs_chromium, test_page_that_loses_its_server};

async fn log_has(page: &Page, line: &str) {
    page.wait_until_true(&format!("document.getElementById('log').textContent.includes({line:?})")).await;
}

#[test]
fn a_tab_that_was_frozen_goes_on() {
    if needs_chromium(EMULATION) {
        return;
    }
    // Chromium closes the connections of a tab that it freezes, and says so.
    test_page_that_loses_its_server(&["--model", "softmax", "--schedule", "constant"], async |page, _| {
        page.press("start").await;
        page.wait_until("answers", |facts| facts.count("own-accepted") > 10.0).await;
        page.devtool("Page.setWebLifecycleState", &json!({ "state": "frozen" }));
        page.devtool("Page.setWebLifecycleState", &json!({ "state": "active" }));
        log_has(page, "The browser froze this tab.").await;
        log_has(page, "The browser let this tab go on.").await;
        let before = page.wait_for("working").await.count("own-accepted");
        page.wait_until("more answers", |facts| facts.count("own-accepted") > before + 10.0).await;
    });
}

fn network(offline: bool) -> Value {
    json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 })
}

#[test]
fn without_a_network_it_says_so_and_with_one_it_is_ready_again() {
    if needs_chromium(EMULATION) {
        return;
    }
    test_page_that_loses_its_server(&["--model", "softmax"], async |page, _| {
        page.wait_for("idle").await;
        page.devtool("Network.enable", &json!({}));
        page.devtool("Network.emulateNetworkConditions", &network(true));
        let facts = page.wait_for("unreachable").await;
        assert_eq!(facts.text("detail"), "This device is offline.");
        assert_eq!(facts.buttons(), ["start"]);
        page.devtool("Network.emulateNetworkConditions", &network(false));
        log_has(page, "The network is back.").await;
        page.wait_for("idle").await;
        page.press("start").await;
        page.wait_for("working").await;
    });
}
