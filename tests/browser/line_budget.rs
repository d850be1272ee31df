//! The line budget: chosen on the page, one for all tabs and reloads, and kept.

use serde_json::json;

use crate::cores::choose_cores;
use crate::page::{PRELOADED, Page, needs_chromium, test_page};

const MEGABYTE: f64 = 1e6;

/// Arguments of a run without an end.
const ENDLESS: [&str; 2] = ["--schedule", "constant"];

/// Counts bytes as those of an earlier view of the page, which ended in this minute.
async fn use_line(page: &Page, megabytes: u32) {
    page.run(&format!(
        "localStorage.setItem('farsign-line-earlier', JSON.stringify([[Math.floor(Date.now() / 60000), {megabytes}e6]]))"
    ))
    .await;
}

/// Returns the bytes of the last hour, as the page shows them.
async fn used_bytes(page: &Page) -> f64 {
    page.state().await.count("line-used")
}

#[test]
fn line_budget_is_stated_and_kept() {
    test_page(&ENDLESS, async |page, _| {
        page.wait_for("idle").await;
        let summary = page.text("usage-summary").await;
        assert!(summary.contains("at most 100\u{a0}MB an hour"), "{summary}");
        page.set("line-budget", "selectedIndex = 1", "change").await;
        let summary = page.text("usage-summary").await;
        assert!(summary.contains("at most 25.0\u{a0}MB"), "{summary}");
        page.reload().await;
        page.wait_for("idle").await;
        let chosen = "return document.getElementById('line-budget').selectedOptions[0].textContent";
        assert_eq!(page.run(chosen).await, json!("25.0\u{a0}MB an hour"));
        page.set("line-budget", "selectedIndex = 8", "change").await;
        let summary = page.text("usage-summary").await;
        assert!(summary.contains("without a limit"), "{summary}");
    });
}

#[test]
fn used_line_rests_before_task() {
    test_page(&ENDLESS, async |page, server| {
        page.wait_for("idle").await;
        let page_bytes = used_bytes(page).await;
        use_line(page, 90).await;
        page.start_at_full_effort().await;
        let state = page.wait_for("line-budget-used").await;
        let detail = state.text("detail");
        assert!(
            detail.contains("100\u{a0}MB an hour is used up"),
            "{state:?}"
        );
        let countdown = state.text("countdown");
        assert!(
            countdown.contains("min") || countdown.contains("1\u{a0}h"),
            "{state:?}"
        );
        assert_eq!(state.buttons(), ["pause", "stop"]);
        let status = server.wait_until("the end of the session", |status| {
            status["volunteers"]["connected"] == 0
        });
        let accepted = state.count("own-accepted");
        assert!(accepted > 10.0, "{state:?}");
        assert_eq!(status["accepted"], accepted as u64, "no update is lost");
        assert_eq!(status["sessions_ended"]["task_timeout"], 0);
        let count = |name| status["traffic"][name].as_f64().expect("a count");
        let frames = count("sent_bytes") + count("received_bytes");
        let list = server.get_json("/api/v1/data/shards", "");
        let shard = list["shards"][0]["bytes"].as_f64().expect("a size");
        let used = used_bytes(page).await - 90.0 * MEGABYTE;
        let transferred = page_bytes + frames + shard;
        assert!(used >= transferred, "{used} of {transferred} bytes");
        assert!(used < 10.5 * MEGABYTE, "{used} bytes");

        // Another budget ends the rest.
        page.set("line-budget", "selectedIndex = 4", "change").await;
        page.wait_until("more updates", |state| {
            state.count("own-accepted") > accepted + 10.0
        })
        .await;
    });
}

#[test]
fn used_half_enlarges_tasks() {
    if needs_chromium(PRELOADED) {
        return;
    }
    test_page(&ENDLESS, async |page, _| {
        page.wait_for("idle").await;
        page.start_at_full_effort().await;
        let state = page.wait_until("updates", |state| state.count("own-accepted") > 50.0);
        let minibatch_ms = state.await.count("own-compute");
        use_line(page, 60).await;
        page.wait_until("longer tasks", |state| {
            state.count("own-compute") > 4.0 * minibatch_ms
        })
        .await;
    });
}

#[test]
fn tabs_and_reloads_share_budget() {
    test_page(&ENDLESS, async |page, server| {
        page.wait_for("idle").await;
        use_line(page, 96).await;
        page.start_at_full_effort().await;
        page.wait_for("line-budget-used").await;
        page.reload().await;
        assert!(used_bytes(page).await > 99.0 * MEGABYTE);
        page.press("start").await;
        page.wait_for("line-budget-used").await;
        page.open_tab(&format!("http://{}/", server.address()))
            .await;
        page.press("start").await;
        page.wait_for("line-budget-used").await;
        let used = used_bytes(page).await;
        assert!(used < 100.5 * MEGABYTE, "{used} bytes");
    });
}

#[test]
fn cores_share_budget() {
    if needs_chromium(PRELOADED) {
        return;
    }
    test_page(&ENDLESS, async |page, server| {
        choose_cores(page, 3).await;
        use_line(page, 80).await;
        page.start_at_full_effort().await;
        page.wait_until("a rest of every core", |state| {
            state.name() == "line-budget-used" && state.count("own-accepted") > 10.0
        })
        .await;
        server.wait_until("the end of all sessions", |status| {
            status["volunteers"]["connected"] == 0
        });
        let used = used_bytes(page).await;
        assert!(used < 102.0 * MEGABYTE, "{used} bytes");
    });
}

#[test]
fn denied_storage_counts_tab_alone() {
    if needs_chromium(PRELOADED) {
        return;
    }
    test_page(&ENDLESS, async |page, _| {
        page.wait_for("idle").await;
        page.reload_with(
            "Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied') } })",
        )
        .await;
        page.press("start").await;
        page.wait_until("an update", |state| state.count("own-accepted") > 0.0)
            .await;
        let text = page.text("line-used").await;
        assert!(text.contains("this tab only"), "{text}");
        assert!(used_bytes(page).await > MEGABYTE, "{text}");
    });
}
