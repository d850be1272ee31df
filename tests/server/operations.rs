//! Monitoring: metrics, the tolerance estimate, and readiness.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use farsign::task::RejectReason;
use farsign_server::config::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::raw_client::RawClient;
use farsign_tests::test_server::TestServer;
use farsign_tests::wait;
use farsign_volunteer::Attack;
use serde_json::{Value, json};

/// Returns the samples of `/metrics` by name, labels included.
fn metrics(server: &TestServer) -> BTreeMap<String, f64> {
    let text = String::from_utf8(server.get("/metrics")).expect("text");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let split = samples.map(|line| {
        line.rsplit_once(' ')
            .unwrap_or_else(|| panic!("expected a sample, found {line}"))
    });
    split
        .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
        .collect()
}

/// Returns status and metrics of the same moment, without the values that change with time.
fn consistent_snapshot(server: &TestServer) -> (Value, BTreeMap<String, f64>) {
    let timeless_status = || {
        let mut status = server.status();
        status["run"]["uptime_s"] = Value::Null;
        status["updates_per_s"] = Value::Null;
        status["egress"] = Value::Null; // the status itself is sent too
        status
    };
    wait::wait_for_some("an unchanged status", || {
        let before = timeless_status();
        let metrics = metrics(server);
        (before == timeless_status()).then_some((before, metrics))
    })
}

/// Metrics that the status has too, with their JSON pointers.
const SHARED: &[(&str, &str)] = &[
    ("farsign_updates_accepted_total", "/accepted"),
    ("farsign_sessions", "/volunteers/connected"),
    ("farsign_active_volunteers", "/volunteers/active"),
    ("farsign_progress_ratio", "/run/progress"),
    ("farsign_held_out_accuracy_ratio", "/held_out/accuracy"),
    ("farsign_held_out_loss_nats", "/held_out/loss"),
    ("farsign_received_bytes_total", "/traffic/received_bytes"),
    ("farsign_sent_bytes_total", "/traffic/sent_bytes"),
    ("farsign_verifications_passed_total", "/verification/passed"),
    ("farsign_verifications_failed_total", "/verification/failed"),
    (
        "farsign_verifications_skipped_total",
        "/verification/skipped",
    ),
    (
        "farsign_verification_recomputed_updates_total",
        "/verification/recomputed",
    ),
    (
        "farsign_verification_cpu_seconds_total",
        "/verification/cpu_s",
    ),
];

fn assert_same(metrics: &BTreeMap<String, f64>, name: &str, expected: &Value) {
    let found = metrics.get(name).copied();
    let expected = expected.as_f64();
    // The status rounds its floats to 32 bits.
    let is_same = found
        .zip(expected)
        .is_some_and(|(found, expected)| (found - expected).abs() <= 1e-6 * expected);
    assert!(
        is_same,
        "{name}: expected {expected:?} as in the status, found {found:?}"
    );
}

#[test]
fn metrics_match_status() {
    let server = TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        horizon: Some(40.0),
        batch: Some(8),
        verify_probability: Some(0.5),
        ..Settings::default()
    });
    let (mut volunteer, task) = RawClient::join(&server);
    volunteer.send_update(task.id, &[0]);
    assert_eq!(
        volunteer.recv().rejected,
        Some((task.id, RejectReason::WrongBitCount))
    );
    drop(volunteer);
    server.train(&[(2, Attack::None)]);
    server.final_accuracy();
    server.wait_until("the end of all sessions", |status| {
        status["volunteers"]["connected"] == 0
    });

    let (status, metrics) = consistent_snapshot(&server);
    for (name, pointer) in SHARED {
        assert_same(
            &metrics,
            name,
            status
                .pointer(pointer)
                .unwrap_or_else(|| panic!("no {pointer}")),
        );
    }
    for (family, pointer) in [
        ("updates_rejected", "/rejected"),
        ("sessions_ended", "/sessions_ended"),
    ] {
        let counts = status
            .pointer(pointer)
            .and_then(Value::as_object)
            .expect("counts by reason");
        let name = |reason| format!("farsign_{family}_total{{reason=\"{reason}\"}}");
        counts
            .iter()
            .for_each(|(reason, count)| assert_same(&metrics, &name(reason), count));
        let names = metrics
            .keys()
            .filter(|name| name.starts_with(&format!("farsign_{family}_total")));
        assert_eq!(names.count(), counts.len(), "{family}");
    }
    for counted in [
        "updates_rejected_total{reason=\"wrong_bit_count\"}",
        "sessions_ended_total{reason=\"run_finished\"}",
    ] {
        assert!(
            metrics[&format!("farsign_{counted}")] > 0.0,
            "{counted}: {metrics:#?}"
        );
    }
    for counted in [
        "updates_accepted_total",
        "received_bytes_total",
        "sent_bytes_total",
        "verifications_passed_total",
    ] {
        assert!(
            metrics[&format!("farsign_{counted}")] > 0.0,
            "{counted}: {metrics:#?}"
        );
    }
    assert!(
        metrics["farsign_connections"] >= 1.0,
        "the connection of the request"
    );
    assert!(
        metrics["farsign_snapshot_version"] >= 1.0
            && metrics["farsign_snapshot_age_seconds"] >= 0.0
    );
    assert_eq!(metrics["farsign_paused"], 0.0);
}

#[test]
fn tolerance_estimate_follows_agreement() {
    let server = TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        ..Settings::default()
    });
    let mut volunteers = [RawClient::join(&server), RawClient::join(&server)];
    let mut send_updates = |times: usize, bytes: [u8; 2]| {
        for _ in 0..times {
            for ((volunteer, task), byte) in volunteers.iter_mut().zip(bytes) {
                volunteer.send_update(task.id, &[&[byte; 981][..], &[0]].concat());
                *task = volunteer.recv().task.expect("the next task");
            }
        }
    };
    send_updates(32, [0x55, 0x55]);
    let (status, early) = consistent_snapshot(&server);
    assert_eq!(status["tolerance"], Value::Null, "too few pairs");
    assert!(
        !early.contains_key("farsign_sign_error_ratio"),
        "{early:#?}"
    );

    send_updates(1, [0x55, 0x55]);
    assert_eq!(
        server.status()["tolerance"],
        json!({ "sign_error": 0.0, "tolerated_fraction": 0.5 })
    );

    send_updates(200, [0x55, 0x0f]); // half of the signs agree, as random signs do
    let (status, metrics) = consistent_snapshot(&server);
    assert!(
        status["tolerance"]["sign_error"].as_f64() > Some(0.3),
        "{status:#}"
    );
    assert_same(
        &metrics,
        "farsign_sign_error_ratio",
        &status["tolerance"]["sign_error"],
    );
    assert_same(
        &metrics,
        "farsign_byzantine_tolerance_ratio",
        &status["tolerance"]["tolerated_fraction"],
    );
}

#[test]
fn metrics_match_documentation() {
    let server = TestServer::start(Settings::default());
    let text = String::from_utf8(server.get("/metrics")).expect("text");
    let types = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let exported: BTreeSet<&str> = types.collect();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/metrics.md");
    let page = fs::read_to_string(page).expect("the document");
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `farsign_")?.split(['`', '{']).next());
    let documented: BTreeSet<String> = rows.map(|name| format!("farsign_{name}")).collect();
    assert_eq!(exported, documented.iter().map(String::as_str).collect());
}

#[test]
fn metrics_are_per_server() {
    let busy = TestServer::start(Settings::default());
    let idle = TestServer::start(Settings::default());
    let (_volunteer, _) = RawClient::join(&busy);
    busy.wait_until("a session", |status| status["volunteers"]["connected"] == 1);
    assert_eq!(metrics(&busy)["farsign_sessions"], 1.0);
    assert_eq!(metrics(&idle)["farsign_sessions"], 0.0);
    assert_eq!(metrics(&idle)["farsign_received_bytes_total"], 0.0);
}

#[test]
fn paused_server_is_not_ready() {
    let server = TestServer::start(Settings::default());
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let ready = || {
        let mut response = agent.get(server.url("/readyz")).call().expect("a response");
        (
            response.status().as_u16(),
            response.body_mut().read_to_string().expect("a body"),
        )
    };
    assert_eq!(ready(), (200, "ready".to_owned()));
    server.state().admission.pause(true);
    assert_eq!(ready(), (503, "the run is paused".to_owned()));
    assert_eq!(server.get("/healthz"), b"ok");
    assert_eq!(metrics(&server)["farsign_paused"], 1.0);
    server.state().admission.pause(false);
    assert_eq!(ready(), (200, "ready".to_owned()));
}
