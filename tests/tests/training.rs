//! Whole runs over loopback: what the product promises, on the built-in data.

use farsign_server::settings::{FamilyKind, ModelKind, OrderKind, RuleKind, ScheduleKind, Settings};
use farsign_server::volunteer::{Attack, WorkerEnd};
use farsign_tests::host::Host;
use farsign_tests::raw::RawVolunteer;

const HONEST: Attack = Attack::None;

fn accuracy(settings: Settings, fleets: &[(usize, Attack)]) -> f64 {
    let host = Host::start(settings);
    let ends = host.train(fleets);
    assert!(ends.iter().all(|end| *end == WorkerEnd::Finished), "{ends:?}");
    let accuracy = host.final_accuracy();
    // Answers on their way when the last one needed has come are turned away; nothing else is.
    let rejected = host.status()["rejected"].as_object().unwrap().clone();
    let others: Vec<_> =
        rejected.iter().filter(|(reason, n)| *reason != "run_finished" && **n != 0).collect();
    assert!(others.is_empty(), "{others:?}");
    accuracy
}

fn softmax() -> Settings {
    Settings { model: Some(ModelKind::Softmax), horizon: Some(2500.0), ..Settings::default() }
}

#[test]
fn the_mlp_learns() {
    let reached = accuracy(Settings { horizon: Some(1500.0), ..Settings::default() }, &[(4, HONEST)]);
    assert!(reached >= 0.92, "{reached}");
}

#[test]
fn softmax_learns_under_both_rules_and_with_hadamard_directions() {
    for settings in [
        softmax(),
        Settings { rule: Some(RuleKind::Vote), ..softmax() },
        Settings { directions: Some(FamilyKind::Hadamard), ..softmax() },
    ] {
        let reached = accuracy(settings.clone(), &[(4, HONEST)]);
        assert!(reached >= 0.87, "{reached} with {settings:?}");
    }
}

#[test]
fn losses_alone_are_enough() {
    let zeroth =
        Settings { order: Some(OrderKind::Zeroth), batch: Some(32), horizon: Some(4000.0), ..softmax() };
    for directions in [None, Some(FamilyKind::Hadamard)] {
        let reached = accuracy(Settings { directions, ..zeroth.clone() }, &[(4, HONEST)]);
        assert!(reached >= 0.8, "{reached} with {directions:?}");
    }
}

/// Liars are found by nobody; the rule alone has to stand them.
fn unverified() -> Settings {
    Settings { rule: Some(RuleKind::Plain), ..softmax() }
}

#[test]
fn three_liars_of_ten_cost_little() {
    let clean = accuracy(unverified(), &[(10, HONEST)]);
    let attacked = accuracy(unverified(), &[(7, HONEST), (3, Attack::SignFlip)]);
    assert!(attacked >= clean - 0.03, "{attacked} with liars, {clean} without");
}

#[test]
fn a_majority_of_liars_wins_so_the_attack_is_real() {
    let attacked = accuracy(unverified(), &[(3, HONEST), (7, Attack::SignFlip)]);
    assert!(attacked < 0.3, "{attacked}");
}

#[test]
fn nobody_waits_for_those_who_stall_or_vanish() {
    let host = Host::start(softmax());
    let _stalled: Vec<_> = (0..3).map(|_| RawVolunteer::join(&host)).collect();
    for _ in 0..2 {
        drop(RawVolunteer::join(&host)); // vanishes with its task open
    }
    assert_eq!(host.train(&[(2, HONEST)]), [WorkerEnd::Finished, WorkerEnd::Finished]);
    let reached = host.final_accuracy();
    assert!(reached >= 0.87, "{reached}");
}

#[test]
fn a_run_without_an_end_goes_on_and_stops_cleanly() {
    let settings = Settings { schedule: Some(ScheduleKind::PowerLaw), ..softmax() };
    let host = Host::start(settings);
    std::thread::scope(|scope| {
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let options = host.fleet(2);
        let fleet = scope.spawn(move || {
            let tally = std::sync::Arc::default();
            farsign_server::volunteer::run(&options, &tally, &stopping, |_, _| {})
        });
        let status = host.wait_until("300 contributions", |status| status["accepted"].as_u64() >= Some(300));
        assert!(status["run"]["progress"].is_null() && status["run"]["phase"] == "training", "{status}");
        stop.send_replace(true);
        assert_eq!(fleet.join().unwrap().unwrap(), [WorkerEnd::Stopped, WorkerEnd::Stopped]);
    });
}

#[test]
fn a_server_that_stops_says_goodbye_with_a_time_to_come_back() {
    let host = Host::start(softmax());
    let (mut volunteer, _) = RawVolunteer::join(&host);
    drop(host);
    let goodbye = volunteer.hear().goodbye.expect("a goodbye");
    assert_eq!(goodbye.reason, farsign::task::GoodbyeReason::ShuttingDown);
    assert!(goodbye.retry_after_ms.is_some());
    assert_eq!(volunteer.hear_close(), 1001);
}
