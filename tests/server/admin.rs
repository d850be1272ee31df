//! The admin API: authorization, ejections, bans, pause and effort.

use std::sync::Arc;

use farsign::task::{Goodbye, GoodbyeReason, RejectReason, Secret, TaskId};
use farsign::wire::Hello;
use farsign_server::config::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::raw_client::{RawClient, Received};
use farsign_tests::test_server::TestServer;
use farsign_tests::wait;
use farsign_volunteer::{FleetOptions, FleetStats, WorkerExit, run_fleet};
use serde_json::Value;
use tokio::sync::watch;

const TOKEN: &str = "the admin token of a test";

fn start_server(settings: Settings) -> TestServer {
    TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        admin_token: Some(TOKEN.into()),
        ..settings
    })
}

/// Sends a request with an optional token, and returns the status code and the body.
fn request(
    server: &TestServer,
    token: Option<&str>,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let url = server.url(&format!("/api/v1/admin/{path}"));
    let token = token.unwrap_or_default();
    let response = match method {
        "GET" => agent.get(url).header("authorization", token).call(),
        "DELETE" => agent.delete(url).header("authorization", token).call(),
        "PUT" => agent.put(url).header("authorization", token).send(body),
        _ => agent.post(url).header("authorization", token).send(body),
    };
    let mut response = response.expect("a response");
    (
        response.status().as_u16(),
        response.body_mut().read_to_string().expect("a body"),
    )
}

fn as_operator(server: &TestServer, method: &str, path: &str, body: &str) -> (u16, String) {
    request(server, Some(&format!("Bearer {TOKEN}")), method, path, body)
}

fn get_json(server: &TestServer, path: &str) -> Value {
    let (code, text) = as_operator(server, "GET", path, "");
    assert_eq!(code, 200, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

fn join(server: &TestServer, secret: u8) -> RawClient {
    let mut volunteer = RawClient::connect(server);
    volunteer.send_hello(&Hello {
        secret: Some(Secret([secret; 16])),
        ..Hello::default()
    });
    volunteer
}

fn assert_ended(volunteer: &mut RawClient, reason: GoodbyeReason) {
    assert_eq!(
        volunteer.recv().goodbye,
        Some(Goodbye {
            reason,
            retry_after_ms: None
        })
    );
}

#[test]
fn token_line_end_is_ignored() {
    let settings = Settings {
        admin_token: Some("0123456789abcdef\r\n".into()),
        ..Settings::default()
    };
    let server = TestServer::start(settings);
    for (authorization, expected) in [
        ("Bearer 0123456789abcdef", 200),
        ("bearer 0123456789abcdef", 200),
        ("Bearer  0123456789abcdef ", 200),
        ("Bearer 0123456789abcde", 401),
        ("Bearer0123456789abcdef", 401),
        ("Basic 0123456789abcdef", 401),
        ("Bearer", 401),
    ] {
        let (code, _) = request(&server, Some(authorization), "GET", "bans", "");
        assert_eq!(code, expected, "{authorization:?}");
    }
}

#[test]
fn ban_path_may_have_a_slash() {
    let server = start_server(Settings::default());
    for path in ["bans/address/2001:db8::%2F64", "bans/address/2001:db8::/64"] {
        let (code, _) = as_operator(&server, "POST", "bans", "address 2001:db8::1");
        assert_eq!(code, 204);
        assert_eq!(as_operator(&server, "DELETE", path, "").0, 204, "{path}");
        assert_eq!(as_operator(&server, "DELETE", path, "").0, 404, "{path}");
    }
}

#[test]
fn admin_api_requires_token() {
    let open = start_server(Settings::default());
    let closed = TestServer::start(Settings::default());
    let bearer = format!("Bearer {TOKEN}");
    for (method, path) in [
        ("GET", "volunteers"),
        ("DELETE", "volunteers/1"),
        ("GET", "bans"),
        ("POST", "bans"),
        ("DELETE", "bans/address/192.0.2.1"),
        ("POST", "pause"),
        ("POST", "resume"),
        ("PUT", "effort"),
        ("PUT", "volunteers/1/effort"),
    ] {
        for token in [
            None,
            Some("Bearer "),
            Some("Bearer wrong"),
            Some(TOKEN),
            Some("Basic YTpi"),
        ] {
            assert_eq!(
                request(&open, token, method, path, "address 192.0.2.1").0,
                401,
                "{method} {path} {token:?}"
            );
        }
        let (code, _) = request(&closed, Some(&bearer), method, path, "address 192.0.2.1");
        assert_eq!(
            code, 404,
            "{method} {path} on a server without an admin token"
        );
    }
    assert_eq!(open.status()["run"]["paused"], false);
    assert_eq!(get_json(&open, "bans"), Value::Array(vec![]));
}

#[test]
fn volunteers_are_listed_and_ejected() {
    let server = start_server(Settings::default());
    let mut volunteer = join(&server, 1);
    let task = volunteer.recv().task.expect("a task");
    volunteer.send_update(task.id, &[&[0; 981][..], &[0]].concat());
    assert!(volunteer.recv().accepted.is_some());
    let listed = get_json(&server, "volunteers");
    let row = &listed[0];
    assert_eq!(
        (&row["address"], &row["agent"]),
        (&"127.0.0.1".into(), &"raw-test".into())
    );
    assert_eq!(
        (&row["accepted"], &row["verifications_passed"]),
        (&1.into(), &0.into())
    );
    assert!(
        row["accepted_per_s"].as_f64() > Some(0.0) && row["trust"].as_f64() > Some(0.0),
        "{row}"
    );
    let identity = row["identity"].as_str().expect("an identity");
    assert!(
        identity.len() == 32 && !listed.to_string().contains(&"01".repeat(16)),
        "the secret is not listed"
    );

    assert_eq!(as_operator(&server, "DELETE", "volunteers/999", "").0, 404);
    assert_eq!(
        as_operator(&server, "DELETE", &format!("volunteers/{}", row["id"]), "").0,
        204
    );
    assert_ended(&mut volunteer, GoodbyeReason::EjectedByOperator);
    assert_eq!(get_json(&server, "volunteers"), Value::Array(vec![]));
    assert!(
        join(&server, 1).recv().task.is_some(),
        "an ejected volunteer may rejoin"
    );
}

#[test]
fn bans_end_sessions_until_removed() {
    let server = start_server(Settings::default());
    let mut volunteer = join(&server, 1);
    assert!(volunteer.recv().task.is_some());
    let identity = get_json(&server, "volunteers")[0]["identity"]
        .as_str()
        .expect("an identity")
        .to_owned();
    let ban = format!("identity {identity}");
    assert_eq!(as_operator(&server, "POST", "bans", &ban).0, 204);
    assert_ended(&mut volunteer, GoodbyeReason::Banned);
    assert_ended(&mut join(&server, 1), GoodbyeReason::Banned);
    let mut other = join(&server, 2);
    assert!(
        other.recv().task.is_some(),
        "other identities are not banned"
    );

    assert_eq!(
        as_operator(&server, "POST", "bans", "address 127.0.0.1").0,
        204
    );
    assert_ended(&mut other, GoodbyeReason::Banned);
    assert_ended(&mut RawClient::connect(&server), GoodbyeReason::Banned);
    assert_eq!(
        get_json(&server, "bans"),
        Value::from(vec!["address 127.0.0.1".to_owned(), ban.clone()])
    );

    let (code, body) = as_operator(&server, "POST", "bans", "everybody");
    assert!(
        code == 400 && body.contains("\"everybody\""),
        "{code} {body}"
    );
    assert_eq!(
        as_operator(&server, "POST", "bans", &"x".repeat(10_000)).0,
        413
    );
    for ban in [ban.as_str(), "address 127.0.0.1"] {
        let path = format!("bans/{}", ban.replace(' ', "/"));
        assert_eq!(as_operator(&server, "DELETE", &path, "").0, 204);
        assert_eq!(as_operator(&server, "DELETE", &path, "").0, 404);
    }
    assert!(join(&server, 1).recv().task.is_some());
}

#[test]
fn ban_file_survives_restart() {
    let folder = tempfile::tempdir().unwrap();
    let ban_file = Some(folder.path().join("bans"));
    let settings = Settings {
        ban_file: ban_file.clone(),
        ..Settings::default()
    };
    let first = start_server(settings.clone());
    assert_eq!(
        as_operator(&first, "POST", "bans", "address 127.0.0.1").0,
        204
    );
    let text = std::fs::read_to_string(ban_file.as_ref().unwrap()).unwrap();
    assert_eq!(text, "address 127.0.0.1\n", "written before the response");
    drop(first);
    assert_ended(
        &mut RawClient::connect(&start_server(settings)),
        GoodbyeReason::Banned,
    );
}

#[test]
fn unwritable_ban_file_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let server = start_server(Settings {
        ban_file: Some(missing.join("bans")),
        ..Settings::default()
    });
    let failing = |value: u8| {
        let metrics = String::from_utf8(server.get("/metrics")).unwrap();
        let line = format!("farsign_ban_file_failing {value}");
        assert!(
            metrics.lines().any(|found| found.starts_with(&line)),
            "{metrics}"
        );
    };
    failing(0);
    let (code, body) = as_operator(&server, "POST", "bans", "address 192.0.2.1");
    assert!(
        code == 500 && body.contains("applies now") && body.contains("bans"),
        "{code} {body}"
    );
    assert_eq!(get_json(&server, "bans")[0], "address 192.0.2.1");
    failing(1);

    std::fs::create_dir(&missing).unwrap();
    let banned = as_operator(&server, "POST", "bans", "address 192.0.2.1");
    assert_eq!(banned.0, 204, "{}", banned.1);
    failing(0);
    let file = std::fs::read_to_string(missing.join("bans")).unwrap();
    assert_eq!(file, "address 192.0.2.1\n");
}

#[test]
fn pause_ends_sessions_until_resumed() {
    let server = start_server(Settings::default());
    let mut volunteer = join(&server, 1);
    assert!(volunteer.recv().task.is_some());
    assert_eq!(as_operator(&server, "POST", "pause", "").0, 204);
    assert_eq!(server.status()["run"]["paused"], true);
    for volunteer in [&mut volunteer, &mut join(&server, 2)] {
        let goodbye = volunteer.recv().goodbye.expect("a goodbye");
        assert_eq!(goodbye.reason, GoodbyeReason::Paused);
        assert!(goodbye.retry_after_ms >= Some(5000), "{goodbye:?}");
    }
    assert_eq!(as_operator(&server, "POST", "resume", "").0, 204);
    assert!(join(&server, 1).recv().task.is_some());
}

/// Sends an update for a task of the softmax run, and returns the response.
fn send_update(volunteer: &mut RawClient, task: TaskId) -> Received {
    volunteer.send_update(task, &[&[0; 981][..], &[0]].concat());
    let received = volunteer.recv();
    assert!(
        received.accepted.is_some(),
        "an update is acknowledged at once: {received:?}"
    );
    received
}

#[test]
fn throttled_volunteer_gets_delayed_task() {
    let server = start_server(Settings::default());
    let mut throttled = join(&server, 1);
    let task = throttled.recv().task.expect("a task"); // before the other joins, so that it is listed first
    let mut other = join(&server, 2);
    let other_task = other.recv().task.expect("a task");
    let id = &get_json(&server, "volunteers")[0]["id"];
    assert_eq!(
        as_operator(&server, "PUT", &format!("volunteers/{id}/effort"), "50").0,
        204
    );
    assert_eq!(get_json(&server, "volunteers")[0]["effort_percent"], 50);

    let received = send_update(&mut throttled, task.id);
    assert_eq!(
        (received.task, received.version),
        (None, None),
        "the next task is delayed"
    );
    assert!(
        send_update(&mut other, other_task.id).task.is_some(),
        "the other volunteer is not throttled"
    );
    let received = throttled.recv();
    assert!(
        received.task.is_some() && received.version.is_some() && received.accepted.is_none(),
        "{received:?}"
    );

    assert_eq!(
        as_operator(&server, "PUT", &format!("volunteers/{id}/effort"), "100").0,
        204
    );
    assert!(
        send_update(&mut throttled, received.task.unwrap().id)
            .task
            .is_some(),
        "the delay is removed"
    );
}

#[test]
fn update_while_throttled_is_rejected() {
    let server = start_server(Settings::default());
    let mut volunteer = join(&server, 1);
    let task = volunteer.recv().task.expect("a task").id;
    assert_eq!(as_operator(&server, "PUT", "effort", "50").0, 204);
    assert_eq!(send_update(&mut volunteer, task).task, None);
    volunteer.send_update(task, &[&[0; 981][..], &[0]].concat());
    let mut rejections = Vec::new();
    let mut next = None;
    while next.is_none() || rejections.is_empty() {
        let received = volunteer.recv();
        rejections.extend(received.rejected);
        next = next.or(received.task);
    }
    assert_eq!(rejections, [(task, RejectReason::DuplicateUpdate)]);
}

#[test]
fn global_effort_applies_to_later_joins() {
    let server = start_server(Settings::default());
    assert_eq!(as_operator(&server, "PUT", "effort", "25\n").0, 204);
    let mut volunteer = join(&server, 1);
    let task = volunteer.recv().task.expect("an immediate first task");
    assert_eq!(get_json(&server, "volunteers")[0]["effort_percent"], 25);
    assert_eq!(send_update(&mut volunteer, task.id).task, None);
    assert!(volunteer.recv().task.is_some());
    for invalid in ["0", "101", "half", ""] {
        let (code, body) = as_operator(&server, "PUT", "effort", invalid);
        assert!(
            code == 400 && body.contains("1 to 100"),
            "{invalid:?}: {code} {body}"
        );
    }
    assert_eq!(
        as_operator(&server, "PUT", "volunteers/99/effort", "50").0,
        404
    );
}

#[test]
fn throttled_fleet_trains() {
    let server = start_server(Settings::default());
    assert_eq!(as_operator(&server, "PUT", "effort", "50").0, 204);
    let stats = Arc::new(FleetStats::default());
    let (stop, stopping) = watch::channel(false);
    let options = FleetOptions::new(server.url("/").parse().expect("a server URL"), 2);
    std::thread::scope(|scope| {
        let fleet = scope.spawn(|| run_fleet(&options, &stats, &stopping, |_, _| {}));
        wait::wait_for_some("40 accepted updates", || {
            (stats.accepted() >= 40).then_some(())
        });
        stop.send_replace(true);
        let exits = fleet.join().expect("no panic").expect("a fleet");
        assert!(
            exits.iter().all(|exit| *exit == WorkerExit::Stopped),
            "{exits:?}"
        );
    });
}
