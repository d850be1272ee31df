//! One browser alone trains a model.

use farsign_tests::process::Server;
use serde_json::Value;

use crate::page::{Page, test_page};

fn accuracy(status: &Value) -> f64 {
    status["held_out"]["accuracy"].as_f64().unwrap_or(0.0)
}

fn accepted(status: &Value) -> f64 {
    status["accepted"].as_f64().expect("the number of accepted answers")
}

/// Presses Start and waits until held-out accuracy passes `goal`, on the server and then on the page. The run must not
/// end meanwhile.
async fn learns(page: &Page, server: &Server, goal: f64) {
    page.start_at_full_effort().await;
    let status = server.wait_until(&format!("accuracy above {goal}"), |status| accuracy(status) > goal);
    assert_eq!(status["volunteers"]["connected"], 1, "somebody else helped");
    assert!(accepted(&status) > 0.0);
    assert!(
        status["rejected"].as_object().is_some_and(|reasons| reasons.values().all(|count| count == 0)),
        "{status:#}"
    );
    let facts = page
        .wait_until("the accuracy and a share of it on the page", |facts| {
            facts.value("accuracy").is_some_and(|shown| shown > goal) && facts.count("own-accepted") > 0.0
        })
        .await;
    assert_eq!(facts.state(), "working");
    assert!(facts.text("accuracy").ends_with('%'), "{facts:?}");
    // The page learns of an answer's acceptance after the server has counted it.
    let (own, theirs) = (facts.count("own-accepted"), accepted(&server.status()));
    assert!(own <= theirs, "the page counts {own}, the server {theirs}");
    page.wait_until("the page's count of what the server had accepted", |facts| {
        facts.count("own-accepted") >= theirs
    })
    .await;
    assert_eq!(page.facts().await.count("own-rejected"), 0.0);
}

#[test]
fn a_browser_alone_trains_the_network_past_85_percent() {
    test_page(&[], async |page, server| learns(page, server, 0.85).await);
}

#[test]
fn zeroth_order_learns() {
    let arguments = ["--model", "softmax", "--order", "zeroth", "--batch", "64", "--schedule", "constant"];
    test_page(&arguments, async |page, server| learns(page, server, 0.6).await);
}

#[test]
fn the_vote_rule_learns() {
    let arguments = ["--model", "softmax", "--rule", "vote", "--schedule", "constant"];
    test_page(&arguments, async |page, server| learns(page, server, 0.8).await);
}

#[test]
fn hadamard_directions_learn() {
    let arguments = ["--model", "softmax", "--directions", "hadamard", "--schedule", "constant"];
    test_page(&arguments, async |page, server| learns(page, server, 0.8).await);
}

#[test]
fn every_answer_of_a_browser_is_found_right() {
    let arguments = ["--model", "softmax", "--check-share", "1", "--check-cpu-share", "1"];
    test_page(&arguments, async |page, server| {
        page.start_at_full_effort().await;
        let status = server.wait_until("checks", |status| status["checks"]["passed"].as_f64() >= Some(40.0));
        assert_eq!(status["checks"]["failed"], 0, "{status:#}");
        assert_eq!(page.facts().await.state(), "working");
    });
}

#[test]
fn a_finished_run_ends_the_work() {
    test_page(&["--model", "softmax", "--horizon", "60"], async |page, server| {
        page.start_at_full_effort().await;
        let facts = page.wait_for("finished").await;
        assert!(facts.buttons().is_empty(), "{facts:?}");
        let status = server.wait_until("the end of the connection", |s| s["volunteers"]["connected"] == 0);
        assert_eq!(status["run"]["phase"], "finished");
        let facts = page.wait_until("a share", |facts| facts.count("own-accepted") > 0.0).await;
        let (own, theirs) = (facts.count("own-accepted"), accepted(&status));
        assert!(own <= theirs, "the page counts {own}, the server {theirs}");
        let last =
            server.wait_until("the last evaluation", |s| s["held_out"]["at_accepted"] == s["accepted"]);
        page.wait_until("the final accuracy", |facts| facts.value("accuracy") == Some(accuracy(&last))).await;
    });
}
