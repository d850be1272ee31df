//! Clients that do everything wrong: each ends where it should, and the model, the places and the honest are as before.
//! `cargo run --release -p farsign-tests --example hostile` is the same with a million frames, and measures.

use std::thread;

use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_server::volunteer::{Attack, WorkerEnd};
use farsign_tests::host::Host;
use farsign_tests::hostile::{Hostile, Sent};
use serde_json::Value;

const CLIENTS: u64 = 8;
const FRAMES_EACH: u64 = 2500;

fn host(settings: Settings) -> Host {
    let many = Some(100_000);
    Host::start(settings.or(Settings {
        model: Some(ModelKind::Softmax),
        max_connections_per_address: many,
        max_volunteers_per_address: many,
        joins_per_minute: many,
        ..Settings::default()
    }))
}

/// Hostile sessions until as many frames were sent; gives what was.
fn attack(host: &Host) -> Sent {
    let address = host.address();
    let run = |seed| {
        move || {
            let mut client = Hostile::new(address, seed);
            while client.sent.values().sum::<u64>() < FRAMES_EACH {
                client
                    .session()
                    .unwrap_or_else(|error| panic!("seed {seed}: {error} after {:?}", client.sent));
            }
            client.sent
        }
    };
    let clients: Vec<_> = (0..CLIENTS).map(|seed| thread::spawn(run(seed))).collect();
    let mut sent = Sent::new();
    for client in clients {
        let of_one = client.join().expect("the server ends every session");
        of_one.into_iter().for_each(|(what, count)| *sent.entry(what).or_default() += count);
    }
    sent
}

fn counts(status: &Value, what: &str, reasons: &[&str]) -> u64 {
    reasons
        .iter()
        .map(|reason| status[what][reason].as_u64().unwrap_or_else(|| panic!("{what} {reason}")))
        .sum()
}

#[test]
fn twenty_thousand_hostile_frames_move_nothing_and_take_no_place() {
    let host = host(Settings { rule: Some(RuleKind::Plain), ..Settings::default() });
    let before = host.get("/api/v1/snapshot");
    let sent = attack(&host);
    let of =
        |kinds: &[&str]| kinds.iter().map(|kind| sent.get(kind).copied().unwrap_or_default()).sum::<u64>();
    assert!(sent.len() >= 20 && sent.values().all(|count| *count >= 5), "{sent:?}");

    assert_eq!(host.get("/api/v1/snapshot"), before, "the model moved");
    let status = host.wait_until("the end of all sessions", |status| status["volunteers"]["connected"] == 0);
    assert_eq!(status["accepted"], 0);
    let rejected = |reason| counts(&status, "rejected", &[reason]);
    assert_eq!(rejected("wrong_bit_count"), of(&["wrong length"]));
    assert_eq!(rejected("spare_bits_set"), of(&["spare bits"]));
    assert_eq!(rejected("already_answered"), of(&["replay"]));
    let others =
        counts(&status, "rejected", &["unknown_task", "not_your_task", "task_expired", "run_finished"]);
    assert_eq!(others, of(&["unknown task", "foreign task", "fragments"]));
    assert_eq!(counts(&status, "ended", &["oversize_frame"]), of(&["oversize", "announced oversize"]));
    assert_eq!(counts(&status, "ended", &["too_many_pings"]), of(&["endless pings"]));
    assert_eq!(counts(&status, "ended", &["unsupported_version"]), of(&["another version"]));
    assert!(counts(&status, "ended", &["too_many_rejects"]) > 0);
}

#[test]
fn the_honest_finish_their_run_beside_hostile_clients() {
    let host = host(Settings { horizon: Some(2000.0), ..Settings::default() });
    thread::scope(|scope| {
        let hostile = scope.spawn(|| attack(&host));
        let ends = host.train(&[(2, Attack::None)]);
        assert!(ends.iter().all(|end| *end == WorkerEnd::Finished), "{ends:?}");
        hostile.join().expect("no panic");
    });
    let status = host.status();
    assert_eq!(status["checks"]["failed"], 0, "an honest volunteer was taken for a liar");
    let reached = host.final_accuracy();
    assert!(reached >= 0.87, "{reached}");
}
