//! A single browser trains a model.

use farsign_tests::server_process::ServerProcess;
use serde_json::Value;

use crate::page::{Page, test_page};

fn accuracy(status: &Value) -> f64 {
    status["held_out"]["accuracy"].as_f64().unwrap_or(0.0)
}

fn accepted(status: &Value) -> f64 {
    status["accepted"]
        .as_f64()
        .expect("the number of accepted updates")
}

/// Starts training, and waits until the held-out accuracy exceeds `goal` on the server and on the page.
///
/// The run must not end before.
async fn train_to(page: &Page, server: &ServerProcess, goal: f64) {
    page.start_at_full_effort().await;
    let status = server.wait_until(&format!("accuracy above {goal}"), |status| {
        accuracy(status) > goal
    });
    assert_eq!(status["volunteers"]["connected"], 1, "another volunteer");
    assert!(accepted(&status) > 0.0);
    assert!(
        status["rejected"]
            .as_object()
            .is_some_and(|reasons| reasons.values().all(|count| count == 0)),
        "{status:#}"
    );
    let state = page
        .wait_until("the accuracy and an accepted update on the page", |state| {
            state.value("accuracy").is_some_and(|shown| shown > goal)
                && state.count("own-accepted") > 0.0
        })
        .await;
    assert_eq!(state.name(), "working");
    assert!(state.text("accuracy").ends_with('%'), "{state:?}");
    // The server counts an accepted update before the page does.
    let (own, total) = (state.count("own-accepted"), accepted(&server.status()));
    assert!(own <= total, "the page counts {own}, the server {total}");
    page.wait_until("the server's count on the page", |state| {
        state.count("own-accepted") >= total
    })
    .await;
    assert_eq!(page.state().await.count("own-rejected"), 0.0);
}

#[test]
fn browser_trains_past_85_percent() {
    test_page(&[], async |page, server| train_to(page, server, 0.85).await);
}

#[test]
fn zeroth_order_trains() {
    let arguments = [
        "--model",
        "softmax",
        "--order",
        "zeroth",
        "--batch",
        "64",
        "--schedule",
        "constant",
    ];
    test_page(&arguments, async |page, server| {
        train_to(page, server, 0.6).await;
    });
}

#[test]
fn vote_rule_trains() {
    let arguments = [
        "--model",
        "softmax",
        "--rule",
        "vote",
        "--schedule",
        "constant",
    ];
    test_page(&arguments, async |page, server| {
        train_to(page, server, 0.8).await;
    });
}

#[test]
fn hadamard_directions_train() {
    let arguments = [
        "--model",
        "softmax",
        "--directions",
        "hadamard",
        "--schedule",
        "constant",
    ];
    test_page(&arguments, async |page, server| {
        train_to(page, server, 0.8).await;
    });
}

/// Asserts that this many updates of a page pass verification, which recomputes every update, and none fails.
fn assert_updates_pass(setting: [&str; 2], updates: f64) {
    let verification = ["--verify-probability", "1", "--verify-cpu-fraction", "1"];
    let arguments = [&setting[..], &verification].concat();
    test_page(&arguments, async |page, server| {
        page.start_at_full_effort().await;
        server.wait_for_verifications(updates);
        assert_eq!(page.state().await.name(), "working");
    });
}

#[test]
fn browser_updates_pass_verification() {
    assert_updates_pass(["--model", "softmax"], 40.0);
}

#[test]
fn large_tasks_pass_verification() {
    assert_updates_pass(["--batch", "3000"], 10.0); // each is computed in several parts
}

#[test]
fn finished_run_stops_the_page() {
    test_page(
        &["--model", "softmax", "--horizon", "60"],
        async |page, server| {
            page.start_at_full_effort().await;
            let state = page.wait_for("finished").await;
            assert!(state.buttons().is_empty(), "{state:?}");
            let status = server.wait_until("the end of the connection", |s| {
                s["volunteers"]["connected"] == 0
            });
            assert_eq!(status["run"]["phase"], "finished");
            let state = page
                .wait_until("an accepted update", |state| {
                    state.count("own-accepted") > 0.0
                })
                .await;
            let (own, total) = (state.count("own-accepted"), accepted(&status));
            assert!(own <= total, "the page counts {own}, the server {total}");
            let last = server.wait_until("the last evaluation", |s| {
                s["held_out"]["at_accepted"] == s["accepted"]
            });
            page.wait_until("the final accuracy", |state| {
                state.value("accuracy") == Some(accuracy(&last))
            })
            .await;
        },
    );
}
