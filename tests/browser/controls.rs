//! The buttons.

use farsign_tests::server_process::ServerProcess;

use crate::page::test_page;

fn accepted(server: &ServerProcess) -> u64 {
    server.status()["accepted"]
        .as_u64()
        .expect("the number of accepted updates")
}

/// Waits for the end of all connections, and expects no updates for a second.
fn expect_no_updates(server: &ServerProcess) {
    let left = server.wait_until("the end of the connection", |s| {
        s["volunteers"]["connected"] == 0
    });
    let uptime =
        |status: &serde_json::Value| status["run"]["uptime_s"].as_f64().expect("the uptime");
    let later = server.wait_until("a second without volunteers", |s| {
        uptime(s) > uptime(&left) + 1.0
    });
    assert_eq!(
        later["accepted"], left["accepted"],
        "updates without volunteers"
    );
    assert_eq!(later["volunteers"]["connected"], 0);
}

#[test]
fn buttons_pause_resume_and_stop() {
    test_page(&[], async |page, server| {
        page.press("start").await;
        server.wait_until("updates", |status| status["accepted"].as_u64() > Some(10));

        page.press("pause").await;
        let state = page.wait_for("paused").await;
        assert_eq!(state.buttons(), ["start", "stop"]);
        expect_no_updates(server);

        let before = accepted(server);
        page.press("start").await;
        let status = server.wait_until("more updates", |s| {
            s["accepted"].as_u64() > Some(before + 10)
        });
        assert_eq!(status["volunteers"]["connected"], 1);
        assert_eq!(page.wait_for("working").await.buttons(), ["pause", "stop"]);

        page.press("stop").await;
        let state = page.wait_for("stopped").await;
        assert_eq!(state.buttons(), ["start"]);
        expect_no_updates(server);
        let own = state.count("own-accepted");
        assert!(own <= accepted(server) as f64);

        // The page adds up both workers.
        page.press("start").await;
        page.wait_until("updates of the new worker", |state| {
            state.count("own-accepted") > own + 10.0
        })
        .await;
        assert!(page.state().await.count("own-accepted") <= accepted(server) as f64);
    });
}
