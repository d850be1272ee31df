//! Malformed and adversarial traffic: each session ends as specified, and neither the model nor honest volunteers are
//! affected. `cargo run --release -p farsign-bench --bin adversarial_load` measures the same with a million frames.

use std::thread;

use farsign_server::config::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::adversarial_client::{AdversarialClient, SentFrames};
use farsign_tests::test_server::TestServer;
use farsign_volunteer::{Attack, WorkerExit};
use serde_json::Value;

const CLIENTS: u64 = 8;
const FRAMES_EACH: u64 = 2500;

fn start_server(settings: Settings) -> TestServer {
    let unlimited = Some(100_000);
    TestServer::start(settings.or(Settings {
        model: Some(ModelKind::Softmax),
        max_connections_per_address: unlimited,
        max_volunteers_per_address: unlimited,
        joins_per_minute: unlimited,
        ..Settings::default()
    }))
}

/// Runs adversarial sessions until enough frames were sent, and returns their number by kind.
fn attack(server: &TestServer) -> SentFrames {
    let address = server.address();
    let run = |seed| {
        move || {
            let mut client = AdversarialClient::new(address, seed);
            while client.sent.values().sum::<u64>() < FRAMES_EACH {
                client
                    .session()
                    .unwrap_or_else(|error| panic!("seed {seed}: {error} after {:?}", client.sent));
            }
            client.sent
        }
    };
    let clients: Vec<_> = (0..CLIENTS).map(|seed| thread::spawn(run(seed))).collect();
    let mut sent = SentFrames::new();
    for client in clients {
        let sent_by_client = client.join().expect("no panic");
        sent_by_client
            .into_iter()
            .for_each(|(kind, count)| *sent.entry(kind).or_default() += count);
    }
    sent
}

fn counts(status: &Value, what: &str, reasons: &[&str]) -> u64 {
    reasons
        .iter()
        .map(|reason| {
            status[what][reason]
                .as_u64()
                .unwrap_or_else(|| panic!("{what} {reason}"))
        })
        .sum()
}

#[test]
fn adversarial_frames_leave_model_unchanged() {
    let server = start_server(Settings {
        rule: Some(RuleKind::Plain),
        ..Settings::default()
    });
    let before = server.get("/api/v1/snapshot");
    let sent = attack(&server);
    let sent_of = |kinds: &[&str]| {
        kinds
            .iter()
            .map(|kind| sent.get(kind).copied().unwrap_or_default())
            .sum::<u64>()
    };
    assert!(
        sent.len() >= 20 && sent.values().all(|count| *count >= 5),
        "{sent:?}"
    );

    assert_eq!(server.get("/api/v1/snapshot"), before, "the model changed");
    let status = server.wait_until("the end of all sessions", |status| {
        status["volunteers"]["connected"] == 0
    });
    assert_eq!(status["accepted"], 0);
    let rejected = |reason| counts(&status, "rejected", &[reason]);
    assert_eq!(rejected("wrong_bit_count"), sent_of(&["wrong length"]));
    assert_eq!(rejected("spare_bits_set"), sent_of(&["spare bits"]));
    assert_eq!(rejected("duplicate_update"), sent_of(&["replay"]));
    let others = counts(
        &status,
        "rejected",
        &[
            "unknown_task",
            "not_your_task",
            "task_timed_out",
            "run_finished",
        ],
    );
    assert_eq!(
        others,
        sent_of(&["unknown task", "foreign task", "fragments"])
    );
    assert_eq!(
        counts(&status, "sessions_ended", &["oversize_frame"]),
        sent_of(&["oversize", "announced oversize"])
    );
    assert_eq!(
        counts(&status, "sessions_ended", &["too_many_pings"]),
        sent_of(&["endless pings"])
    );
    assert_eq!(
        counts(&status, "sessions_ended", &["unsupported_version"]),
        sent_of(&["unsupported version"])
    );
    assert!(counts(&status, "sessions_ended", &["too_many_rejects"]) > 0);
}

#[test]
fn honest_fleet_finishes_under_attack() {
    let server = start_server(Settings {
        horizon: Some(2000.0),
        ..Settings::default()
    });
    thread::scope(|scope| {
        let adversaries = scope.spawn(|| attack(&server));
        let exits = server.train(&[(2, Attack::None)]);
        assert!(
            exits.iter().all(|exit| *exit == WorkerExit::Finished),
            "{exits:?}"
        );
        adversaries.join().expect("no panic");
    });
    let status = server.status();
    assert_eq!(
        status["verification"]["failed"], 0,
        "an honest update failed verification"
    );
    let accuracy = server.final_accuracy();
    assert!(accuracy >= 0.87, "{accuracy}");
}
