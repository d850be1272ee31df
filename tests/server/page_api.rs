//! Requests of the page: the published model, conditional requests, and names on the leaderboard.

use farsign::task::Secret;
use farsign::wire::Hello;
use farsign_server::config::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::raw_client::{RawClient, whole_version};
use farsign_tests::test_server::TestServer;
use serde_json::{Value, json};
use ureq::http::StatusCode;

fn start_server() -> TestServer {
    TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        ..Settings::default()
    })
}

/// Sends accepted updates of a volunteer.
fn send_updates(server: &TestServer, secret: u8, count: u64) {
    let mut volunteer = RawClient::connect(server);
    volunteer.send_hello(&Hello {
        secret: Some(Secret([secret; 16])),
        ..Hello::default()
    });
    let mut received = volunteer.recv();
    let bits = vec![
        0;
        received
            .welcome
            .as_ref()
            .expect("a welcome")
            .settings
            .directions
            .count()
            .div_ceil(8)
    ];
    for _ in 0..count {
        volunteer.send_update(received.task.expect("a task").id, &bits);
        received = volunteer.recv();
        assert!(received.accepted.is_some(), "{received:?}");
    }
}

fn hex(secret: u8) -> String {
    format!("{secret:02x}").repeat(16)
}

fn post(server: &TestServer, path: &str, origin: &str, body: &Value) -> (StatusCode, Value) {
    let request = ureq::post(server.url(path))
        .config()
        .http_status_as_error(false)
        .build();
    let request = request
        .header("content-type", "application/json")
        .header("origin", origin);
    let mut response = request.send(body.to_string()).expect("a response");
    let text = response.body_mut().read_to_string().expect("a body");
    (
        response.status(),
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

/// Sets a name, as the server's page does.
fn set_name(server: &TestServer, person: u8, name: &str, volunteers: &[u8]) -> (StatusCode, Value) {
    let volunteers: Vec<_> = volunteers.iter().map(|secret| hex(*secret)).collect();
    let body = json!({ "person": hex(person), "name": name, "volunteers": volunteers });
    post(server, "/api/v1/leaderboard", &server.url(""), &body)
}

fn leaders(server: &TestServer) -> Vec<(String, u64)> {
    let list: Value = serde_json::from_slice(&server.get("/api/v1/leaderboard")).expect("JSON");
    let row = |row: &Value| {
        (
            row["name"].as_str().unwrap().to_owned(),
            row["accepted"].as_u64().unwrap(),
        )
    };
    list["people"]
        .as_array()
        .expect("a list")
        .iter()
        .map(row)
        .collect()
}

#[test]
fn published_model_has_etag() {
    let server = start_server();
    send_updates(&server, 1, 3);
    let response = ureq::get(server.url("/api/v1/model"))
        .call()
        .expect("a response");
    let tag = response.headers()["etag"].clone();
    let frame = response.into_body().read_to_vec().expect("a body");
    assert!(frame.len() < 2 * 7850 + 100, "{} bytes", frame.len());
    let published = whole_version(&frame);
    let current = server.state().gateway.snapshot();
    assert_eq!(published.hash(), current.version.hash());
    let again = ureq::get(server.url("/api/v1/model"))
        .header("if-none-match", tag)
        .call()
        .unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(again.into_body().read_to_vec().unwrap().len(), 0);
}

#[test]
fn etag_returns_304() {
    let server = start_server();
    for path in [
        "/",
        "/js/main.js",
        "/api/v1/data/shards",
        &server.shard_paths()[0],
    ] {
        let first = ureq::get(server.url(path)).call().expect("a response");
        let tag = first.headers()["etag"].clone();
        let again = ureq::get(server.url(path))
            .header("if-none-match", tag)
            .call()
            .unwrap();
        assert_eq!(again.status(), 304, "{path}");
        assert!(
            again.headers().contains_key("content-security-policy"),
            "{path}"
        );
    }
}

#[test]
fn leaderboard_sums_volunteers_and_forgets() {
    let server = start_server();
    send_updates(&server, 1, 3);
    send_updates(&server, 2, 4);
    send_updates(&server, 3, 5);
    assert_eq!(leaders(&server), []);
    let (status, named) = set_name(&server, 100, "Ada", &[1, 2]);
    assert_eq!(
        (status.as_u16(), &named["name"], &named["kept"]),
        (200, &json!("Ada"), &json!(true))
    );
    set_name(&server, 101, "Bob", &[3]);
    assert_eq!(
        leaders(&server),
        [("Ada".to_owned(), 7), ("Bob".to_owned(), 5)]
    );
    let leave = json!({ "person": hex(100) });
    let (status, _) = post(
        &server,
        "/api/v1/leaderboard/leave",
        &server.url(""),
        &leave,
    );
    assert_eq!(status, 204);
    assert_eq!(leaders(&server), [("Bob".to_owned(), 5)]);
}

#[test]
fn idle_volunteer_keeps_no_name() {
    let server = start_server();
    send_updates(&server, 1, 1);
    for person in 100..110 {
        let (_, named) = set_name(&server, person, "Ada", &[1, person]);
        assert_eq!(
            (&named["kept"], &named["volunteers"]),
            (&json!(true), &json!(1)),
            "{named}"
        );
    }
    let list: Value = serde_json::from_slice(&server.get("/api/v1/leaderboard")).expect("JSON");
    assert_eq!(list["named"], 1, "a volunteer belongs to one person");
}

#[test]
fn invalid_names_are_rejected() {
    let server = start_server();
    send_updates(&server, 1, 1);
    let (status, named) = set_name(&server, 100, "Idle", &[9]);
    assert_eq!(
        (status.as_u16(), &named["kept"]),
        (200, &json!(false)),
        "the volunteer has no accepted updates"
    );
    for invalid in ["", "<b>bold</b>", "far too long for a name here"] {
        let (status, error) = set_name(&server, 100, invalid, &[1]);
        assert!(
            status == 400 && error.as_str().unwrap().starts_with("expected"),
            "{invalid:?}: {status} {error}"
        );
    }
    let many: Vec<u8> = (0..65).collect();
    assert_eq!(set_name(&server, 100, "Many", &many).0, 400);
    let own = server.url("");
    for (body, expected) in [
        (
            json!({ "person": "1", "name": "Ada", "volunteers": [hex(1)] }),
            400,
        ),
        (
            json!({ "person": hex(1), "name": "Ada", "volunteers": ["+0"] }),
            400,
        ),
        (json!({ "person": hex(1), "name": "Ada" }), 422),
        (
            json!({ "person": hex(1), "name": "x".repeat(5000), "volunteers": [] }),
            413,
        ),
    ] {
        assert_eq!(
            post(&server, "/api/v1/leaderboard", &own, &body).0,
            expected,
            "{body:.80}"
        );
    }
    let body = json!({ "person": hex(100), "name": "Ada", "volunteers": [hex(1)] });
    assert_eq!(
        post(
            &server,
            "/api/v1/leaderboard",
            "https://stranger.example",
            &body
        )
        .0,
        403
    );
    assert_eq!(leaders(&server), []);
}
