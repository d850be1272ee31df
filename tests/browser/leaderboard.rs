//! Names on the leaderboard, deletion of a visitor's data, and ejection.

use farsign_tests::server_process::ServerProcess;
use farsign_tests::wait::wait_for_some;
use serde_json::{Value, json};

use crate::page::{Page, test_page, test_page_with_outage};

const ADMIN_TOKEN: &str = "an admin token of the tests";

fn leaderboard(server: &ServerProcess) -> Value {
    server.get_json("/api/v1/leaderboard", "")
}

fn wait_for_name(server: &ServerProcess, name: &str) {
    let find = || {
        leaderboard(server)["people"]
            .as_array()?
            .iter()
            .find(|row| row["name"] == name)
            .cloned()
    };
    wait_for_some("the name on the leaderboard", find);
}

async fn submit_name(page: &Page, name: &str) {
    page.set("name", &format!("value = {name:?}"), "input")
        .await;
    page.run("document.getElementById('name-form').requestSubmit()")
        .await;
}

/// Returns the names of stored values, without the use of the line, which is counted anew at once.
async fn stored_keys(page: &Page) -> Vec<String> {
    let keys = page
        .run("return Object.keys(localStorage).filter((name) => name.startsWith('farsign-') && !name.startsWith('farsign-line-'))")
        .await;
    keys.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn only_volunteer(server: &ServerProcess) -> Value {
    server.wait_until("one session", |status| {
        status["volunteers"]["connected"] == 1
    });
    server.get_json("/api/v1/admin/volunteers", ADMIN_TOKEN)[0].take()
}

#[test]
fn set_name_and_delete_data() {
    test_page(
        &[
            "--model",
            "softmax",
            "--admin-token",
            ADMIN_TOKEN,
            "--schedule",
            "constant",
        ],
        async |page, server| {
            page.press("start").await;
            page.wait_until("updates", |state| state.count("own-accepted") > 10.0)
                .await;
            assert_eq!(leaderboard(server)["named"], 0, "a name without consent");
            submit_name(page, " Ada  Lovelace ").await;
            page.wait_until_true(
                "document.getElementById('leaders').textContent.includes('Ada Lovelace')",
            )
            .await;
            let leader = leaderboard(server)["people"][0].take();
            assert_eq!(leader["name"], "Ada Lovelace");
            assert!(leader["accepted"].as_u64() > Some(10), "{leader}");
            let before = only_volunteer(server);

            page.run("document.querySelector('.clear-data').open = true")
                .await;
            page.press("clear-data").await;
            page.wait_until_true(
                "document.getElementById('clear-note').textContent.startsWith('Done.')",
            )
            .await;
            assert_eq!(page.wait_for("stopped").await.buttons(), ["start"]);
            assert_eq!(stored_keys(page).await, Vec::<String>::new());
            assert_eq!(leaderboard(server)["named"], 0);
            server.wait_until("the end of the session", |status| {
                status["volunteers"]["connected"] == 0
            });

            page.press("start").await;
            page.wait_for("working").await;
            assert_ne!(
                only_volunteer(server)["identity"],
                before["identity"],
                "the identity is new"
            );
        },
    );
}

/// Returns whether the server accepts a name.
fn server_accepts(server: &ServerProcess, name: &str) -> bool {
    let url = format!("http://{}/api/v1/leaderboard", server.address());
    let body = json!({ "person": "0".repeat(32), "name": name, "volunteers": [] });
    let request = ureq::post(url).config().http_status_as_error(false).build();
    let response = request
        .header("content-type", "application/json")
        .send(body.to_string());
    response.expect("a response").status() == 200
}

#[test]
fn page_and_server_accept_same_names() {
    const CHECK: &str =
        "return import('/js/panels/person-name.js').then(({ normalizeName, nameProblem }) =>
        nameProblem(normalizeName(NAME)) === '')";
    let [longest, too_long] = [20, 21].map(|letters| "กี่".repeat(letters));
    let latin = "x".repeat(21);
    let names = [
        ("Ada Lovelace", true),
        ("Nguye\u{302}\u{303}n Thị Hằng", true),
        ("क्षितिज", true),
        ("श्री\u{200d}निवास", true),
        ("অনির\u{200d}\u{9cd}যান", true),
        ("അനില\u{d4d}\u{200d}", true),
        ("علی\u{200c}رضا", true),
        ("สมหญิง", true),
        ("ကြွေးကြော်", true),
        ("ジョン・スミス", true),
        ("O\u{2019}Brien", true),
        ("D\u{2bc}Angelo d'Arc", true),
        ("Gal·la", true),
        ("佐藤\u{3000}健", true),
        ("\u{85}Ada\u{a0}", true),
        (longest.as_str(), true),
        (too_long.as_str(), false),
        (latin.as_str(), false),
        (" ", false),
        ("a\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}", false),
        ("a \u{301}b", false),
        ("\u{301}a", false),
        ("a\u{200d}b", false),
        ("علی\u{200c}", false),
        ("क\u{94d}\u{200d}\u{200d}ष", false),
        ("a\u{202e}b", false),
        ("a\u{200b}b", false),
        ("a\u{feff}b", false),
        ("a\u{34f}b", false),
        ("a\u{fe0f}b", false),
        ("a\u{20dd}b", false),
        ("\u{3164}", false),
        ("<b>", false),
        ("me@home", false),
    ];
    test_page(&["--model", "softmax"], async |page, server| {
        page.wait_for("idle").await;
        for (name, is_valid) in names {
            let quoted = serde_json::to_string(name).expect("a JSON string");
            let of_page = page.run(&CHECK.replace("NAME", &quoted)).await;
            let of_server = server_accepts(server, name);
            assert_eq!(
                (of_page, of_server),
                (json!(is_valid), is_valid),
                "{name:?}"
            );
        }
    });
}

#[test]
fn name_survives_server_restart() {
    test_page_with_outage(&["--model", "softmax"], async |page, server| {
        submit_name(page, "Bob").await;
        page.wait_until_true(
            "document.getElementById('name-note').textContent.includes('first accepted')",
        )
        .await;
        page.press("start").await;
        wait_for_name(server, "Bob");
        server.kill();
        page.wait_for("reconnecting").await;
        server.restart();
        wait_for_name(server, "Bob");
    });
}

#[test]
fn ejection_shows_its_reason() {
    test_page(
        &["--model", "softmax", "--admin-token", ADMIN_TOKEN],
        async |page, server| {
            page.press("start").await;
            page.wait_for("working").await;
            let url = format!(
                "http://{}/api/v1/admin/volunteers/{}",
                server.address(),
                only_volunteer(server)["id"]
            );
            let response = ureq::delete(&url)
                .header("authorization", format!("Bearer {ADMIN_TOKEN}"))
                .call();
            assert_eq!(response.expect("a response").status(), 204);
            let state = page.wait_for("ejected").await;
            assert!(
                state.text("detail").to_lowercase().contains("operator"),
                "{state:?}"
            );
            assert_eq!(state.buttons(), ["start"]);
            page.press("start").await;
            page.wait_for("working").await;
        },
    );
}
