//! The buttons, and a server that goes away.

use farsign_tests::process::Server;

use crate::page::{test_page, test_page_that_loses_its_server};

fn accepted(server: &Server) -> u64 {
    server.status()["accepted"].as_u64().expect("the number of accepted answers")
}

/// Waits until nobody is connected, then for another second of the server's; nothing may be accepted in it.
fn assert_nothing_comes(server: &Server) {
    let left = server.wait_until("the end of the connection", |s| s["volunteers"]["connected"] == 0);
    let uptime = |status: &serde_json::Value| status["run"]["uptime_s"].as_f64().expect("the uptime");
    let later = server.wait_until("a second without volunteers", |s| uptime(s) > uptime(&left) + 1.0);
    assert_eq!(later["accepted"], left["accepted"], "answers came from nobody");
    assert_eq!(later["volunteers"]["connected"], 0);
}

#[test]
fn pause_rests_resume_goes_on_and_stop_ends() {
    test_page(&[], async |page, server| {
        page.press("start").await;
        server.wait_until("first answers", |status| status["accepted"].as_u64() > Some(10));

        page.press("pause").await;
        let facts = page.wait_for("paused").await;
        assert_eq!(facts.buttons(), ["start", "stop"]);
        assert_nothing_comes(server);

        let before = accepted(server);
        page.press("start").await;
        let status = server.wait_until("more answers", |s| s["accepted"].as_u64() > Some(before + 10));
        assert_eq!(status["volunteers"]["connected"], 1);
        assert_eq!(page.wait_for("working").await.buttons(), ["pause", "stop"]);

        page.press("stop").await;
        let facts = page.wait_for("stopped").await;
        assert_eq!(facts.buttons(), ["start"]);
        assert_nothing_comes(server);
        let own = facts.count("own-accepted");
        assert!(own <= accepted(server) as f64);

        // A new worker goes on, and the page adds up over both.
        page.press("start").await;
        page.wait_until("answers of the new worker", |facts| facts.count("own-accepted") > own + 10.0).await;
        assert!(page.facts().await.count("own-accepted") <= accepted(server) as f64);
    });
}

#[test]
fn the_page_comes_back_by_itself_after_the_server() {
    let folder = tempfile::tempdir().expect("a folder for the run");
    let state = folder.path().join("run").display().to_string();
    let arguments = ["--model", "softmax", "--schedule", "constant", "--state", &state];
    test_page_that_loses_its_server(&arguments, async |page, server| {
        page.press("start").await;
        page.wait_until("first answers", |facts| facts.count("own-accepted") > 10.0).await;

        server.kill();
        let facts = page.wait_for("reconnecting").await;
        assert_eq!(facts.text("detail"), "The connection to the server was lost.");
        let facts = page.wait_until("a countdown", |facts| !facts.text("countdown").is_empty()).await;
        assert_eq!(facts.buttons(), ["pause", "stop"]);
        let own = facts.count("own-accepted");

        server.start_again();
        assert!(accepted(server) as f64 >= own, "what the page was told is accepted is still there");
        page.wait_for("working").await;
        page.wait_until("more answers", |facts| facts.count("own-accepted") > own + 10.0).await;
        let status = server.status();
        assert_eq!(status["volunteers"]["connected"], 1);
        assert!(status["accepted"].as_f64() >= Some(page.facts().await.count("own-accepted")));
    });
}
