//! Names, being forgotten, and being sent away.

use farsign_tests::process::Server;
use farsign_tests::waiting::until_some;
use serde_json::Value;

use crate::page::{Page, test_page, test_page_that_loses_its_server};

const ADMIN: &str = "a token of the host's own";

fn leaders(server: &Server) -> Value {
    server.ask("/api/v1/leaderboard", "")
}

fn wait_for_name(server: &Server, name: &str) {
    let named = || leaders(server)["people"].as_array()?.iter().find(|row| row["name"] == name).cloned();
    until_some("the name on the list", named);
}

/// What the browser keeps for the page.
async fn kept(page: &Page) -> Vec<String> {
    let names =
        page.run("return Object.keys(localStorage).filter((name) => name.startsWith('farsign-'))").await;
    names.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn only_volunteer(server: &Server) -> Value {
    server.wait_until("one session", |status| status["volunteers"]["connected"] == 1);
    server.ask("/api/v1/admin/volunteers", ADMIN)[0].take()
}

#[test]
fn a_name_is_shown_when_it_is_given_and_whoever_wants_it_is_forgotten() {
    test_page(
        &["--model", "softmax", "--admin-token", ADMIN, "--schedule", "constant"],
        async |page, server| {
            page.press("start").await;
            page.wait_until("answers", |facts| facts.count("own-accepted") > 10.0).await;
            assert_eq!(leaders(server)["named"], 0, "nobody is named who did not ask for it");
            page.set("name", "value = ' Ada  Lovelace '", "input").await;
            page.run("document.getElementById('name-form').requestSubmit()").await;
            page.wait_until_true("document.getElementById('leaders').textContent.includes('Ada Lovelace')")
                .await;
            let leader = leaders(server)["people"][0].take();
            assert_eq!(leader["name"], "Ada Lovelace");
            assert!(leader["accepted"].as_u64() > Some(10), "{leader}");
            let before = only_volunteer(server);

            page.run("document.querySelector('.forget').open = true").await;
            page.press("forget").await;
            page.wait_until_true("document.getElementById('forget-note').textContent.startsWith('Done.')")
                .await;
            assert_eq!(page.wait_for("stopped").await.buttons(), ["start"]);
            assert_eq!(kept(page).await, Vec::<String>::new());
            assert_eq!(leaders(server)["named"], 0);
            server.wait_until("the end of the session", |status| status["volunteers"]["connected"] == 0);

            page.press("start").await;
            page.wait_for("working").await;
            assert_ne!(only_volunteer(server)["identity"], before["identity"], "it is somebody else now");
        },
    );
}

#[test]
fn a_name_is_there_again_after_the_server_has_restarted() {
    test_page_that_loses_its_server(&["--model", "softmax"], async |page, server| {
        page.set("name", "value = 'Bob'", "input").await;
        page.run("document.getElementById('name-form').requestSubmit()").await;
        page.wait_until_true("document.getElementById('name-note').textContent.includes('first accepted')")
            .await;
        page.press("start").await;
        wait_for_name(server, "Bob");
        server.kill();
        page.wait_for("reconnecting").await;
        server.start_again();
        wait_for_name(server, "Bob");
    });
}

#[test]
fn who_is_sent_away_is_told_why() {
    test_page(&["--model", "softmax", "--admin-token", ADMIN], async |page, server| {
        page.press("start").await;
        page.wait_for("working").await;
        let url =
            format!("http://{}/api/v1/admin/volunteers/{}", server.address(), only_volunteer(server)["id"]);
        let kick = ureq::delete(&url).header("authorization", format!("Bearer {ADMIN}")).call();
        assert_eq!(kick.expect("the host may").status(), 204);
        let facts = page.wait_for("removed").await;
        assert!(facts.text("detail").to_lowercase().contains("host"), "{facts:?}");
        assert_eq!(facts.buttons(), ["start"]);
        page.press("start").await;
        page.wait_for("working").await;
    });
}
