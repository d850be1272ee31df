//! What a host watches a server by: its figures, and whether it is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use farsign::task::RejectReason;
use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_server::volunteer::Attack;
use farsign_tests::host::Host;
use farsign_tests::raw::RawVolunteer;
use farsign_tests::waiting;
use serde_json::{Value, json};

/// Samples by name, with their labels as they are written.
fn figures(host: &Host) -> BTreeMap<String, f64> {
    let text = String::from_utf8(host.get("/metrics")).expect("text");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let split = samples.map(|line| line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}")));
    split.map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect()
}

/// The figures with the status at the same moment: what moves by itself is not looked at.
fn at_rest(host: &Host) -> (Value, BTreeMap<String, f64>) {
    let still = || {
        let mut status = host.status();
        status["run"]["uptime_s"] = Value::Null;
        status["contributions_per_s"] = Value::Null;
        status
    };
    waiting::until_some("a server at rest", || {
        let (before, figures) = (still(), figures(host));
        (before == still()).then_some((before, figures))
    })
}

/// Every figure that the status has too, with where it stands there.
const SHARED: &[(&str, &str)] = &[
    ("farsign_accepted_total", "/accepted"),
    ("farsign_sessions", "/volunteers/connected"),
    ("farsign_active_volunteers", "/volunteers/active"),
    ("farsign_progress_ratio", "/run/progress"),
    ("farsign_held_out_accuracy_ratio", "/held_out/accuracy"),
    ("farsign_held_out_loss_nats", "/held_out/loss"),
    ("farsign_received_bytes_total", "/traffic/received_bytes"),
    ("farsign_sent_bytes_total", "/traffic/sent_bytes"),
    ("farsign_checks_passed_total", "/checks/passed"),
    ("farsign_checks_failed_total", "/checks/failed"),
    ("farsign_checks_skipped_total", "/checks/skipped"),
    ("farsign_checks_recomputed_total", "/checks/recomputed"),
    ("farsign_checks_seconds_total", "/checks/busy_s"),
];

fn assert_same(figures: &BTreeMap<String, f64>, name: &str, expected: &Value) {
    let (found, expected) = (figures.get(name).copied(), expected.as_f64());
    // The status has its floats in 32 bits, which are written in fewer digits.
    let same =
        found.zip(expected).is_some_and(|(found, expected)| (found - expected).abs() <= 1e-6 * expected);
    assert!(same, "{name} is {found:?}, in the status {expected:?}");
}

#[test]
fn the_figures_are_those_of_the_status() {
    let host = Host::start(Settings {
        model: Some(ModelKind::Softmax),
        horizon: Some(40.0),
        batch: Some(8),
        check_share: Some(0.5),
        ..Settings::default()
    });
    let (mut volunteer, task) = RawVolunteer::join(&host);
    volunteer.answer(task.id, &[0]);
    assert_eq!(volunteer.hear().rejected, Some((task.id, RejectReason::WrongBitCount)));
    drop(volunteer);
    host.train(&[(2, Attack::None)]);
    host.final_accuracy();
    host.wait_until("an empty house", |status| status["volunteers"]["connected"] == 0);

    let (status, figures) = at_rest(&host);
    for (name, place) in SHARED {
        assert_same(&figures, name, status.pointer(place).unwrap_or_else(|| panic!("no {place}")));
    }
    for (family, place) in [("rejected", "/rejected"), ("ended", "/ended")] {
        let counts = status.pointer(place).and_then(Value::as_object).expect("counts by reason");
        let name = |reason| format!("farsign_{family}_total{{reason=\"{reason}\"}}");
        counts.iter().for_each(|(reason, count)| assert_same(&figures, &name(reason), count));
        let there = figures.keys().filter(|name| name.starts_with(&format!("farsign_{family}_total")));
        assert_eq!(there.count(), counts.len(), "{family}");
    }
    for counted in ["rejected_total{reason=\"wrong_bit_count\"}", "ended_total{reason=\"run_finished\"}"] {
        assert!(figures[&format!("farsign_{counted}")] > 0.0, "{counted}: {figures:#?}");
    }
    for counted in ["accepted_total", "received_bytes_total", "sent_bytes_total", "checks_passed_total"] {
        assert!(figures[&format!("farsign_{counted}")] > 0.0, "{counted}: {figures:#?}");
    }
    assert!(figures["farsign_connections"] >= 1.0, "the one that asks");
    assert!(figures["farsign_snapshot_version"] >= 1.0 && figures["farsign_snapshot_age_seconds"] >= 0.0);
    assert_eq!(figures["farsign_paused"], 0.0);
}

#[test]
fn answers_that_agree_leave_room_for_liars_and_guesses_leave_none() {
    let (model, rule) = (Some(ModelKind::Softmax), Some(RuleKind::Plain));
    let host = Host::start(Settings { model, rule, ..Settings::default() });
    let mut volunteers = [RawVolunteer::join(&host), RawVolunteer::join(&host)];
    let mut answer = |times: usize, bytes: [u8; 2]| {
        for _ in 0..times {
            for ((volunteer, task), byte) in volunteers.iter_mut().zip(bytes) {
                volunteer.answer(task.id, &[&[byte; 981][..], &[0]].concat());
                *task = volunteer.hear().task.expect("the next task");
            }
        }
    };
    answer(32, [0x55, 0x55]);
    let (status, known) = at_rest(&host);
    assert_eq!(status["safety"], Value::Null, "too few pairs");
    assert!(!known.contains_key("farsign_sign_error_ratio"), "{known:#?}");

    answer(1, [0x55, 0x55]);
    assert_eq!(host.status()["safety"], json!({ "sign_error": 0.0, "tolerated_share": 0.5 }));

    answer(200, [0x55, 0x0f]); // they agree about half of the signs, as guesses would
    let (status, figures) = at_rest(&host);
    assert!(status["safety"]["sign_error"].as_f64() > Some(0.3), "{status:#}");
    assert_same(&figures, "farsign_sign_error_ratio", &status["safety"]["sign_error"]);
    assert_same(&figures, "farsign_tolerated_liars_ratio", &status["safety"]["tolerated_share"]);
}

#[test]
fn every_figure_is_in_the_documentation_and_every_one_there_exists() {
    let host = Host::start(Settings::default());
    let text = String::from_utf8(host.get("/metrics")).expect("text");
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let exported: BTreeSet<&str> = types.collect();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hosting.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `farsign_")?.split(['`', '{']).next());
    let documented: BTreeSet<String> = rows.map(|name| format!("farsign_{name}")).collect();
    assert_eq!(exported, documented.iter().map(String::as_str).collect());
}

#[test]
fn two_servers_in_one_process_have_figures_of_their_own() {
    let (busy, idle) = (Host::start(Settings::default()), Host::start(Settings::default()));
    let (_volunteer, _) = RawVolunteer::join(&busy);
    busy.wait_until("a session", |status| status["volunteers"]["connected"] == 1);
    assert_eq!(figures(&busy)["farsign_sessions"], 1.0);
    assert_eq!(figures(&idle)["farsign_sessions"], 0.0);
    assert_eq!(figures(&idle)["farsign_received_bytes_total"], 0.0);
}

#[test]
fn a_paused_server_lives_and_is_not_ready() {
    let host = Host::start(Settings::default());
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let ready = || {
        let mut response = agent.get(host.url("/readyz")).call().expect("the server answers");
        (response.status().as_u16(), response.body_mut().read_to_string().expect("a text"))
    };
    assert_eq!(ready(), (200, "ready".to_owned()));
    host.app().admission.pause(true);
    assert_eq!(ready(), (503, "the run is paused".to_owned()));
    assert_eq!(host.get("/healthz"), b"ok");
    assert_eq!(figures(&host)["farsign_paused"], 1.0);
    host.app().admission.pause(false);
    assert_eq!(ready(), (200, "ready".to_owned()));
}
