//! Whole runs over loopback on the built-in data, honest and under attack.

use farsign_server::config::settings::{
    FamilyKind, ModelKind, OrderKind, RuleKind, ScheduleKind, Settings,
};
use farsign_tests::raw_client::RawClient;
use farsign_tests::test_server::TestServer;
use farsign_volunteer::{Attack, WorkerExit};

const HONEST: Attack = Attack::None;

fn accuracy(settings: Settings, fleets: &[(usize, Attack)]) -> f64 {
    let server = TestServer::start(settings);
    let exits = server.train(fleets);
    assert!(
        exits.iter().all(|exit| *exit == WorkerExit::Finished),
        "{exits:?}"
    );
    let accuracy = server.final_accuracy();
    // Only updates that arrive after the end of the run are rejected.
    let rejected = server.status()["rejected"].as_object().unwrap().clone();
    let others: Vec<_> = rejected
        .iter()
        .filter(|(reason, n)| *reason != "run_finished" && **n != 0)
        .collect();
    assert!(others.is_empty(), "{others:?}");
    accuracy
}

fn softmax() -> Settings {
    Settings {
        model: Some(ModelKind::Softmax),
        horizon: Some(2500.0),
        ..Settings::default()
    }
}

#[test]
fn mlp_learns() {
    let accuracy = accuracy(
        Settings {
            horizon: Some(1500.0),
            ..Settings::default()
        },
        &[(4, HONEST)],
    );
    assert!(accuracy >= 0.92, "{accuracy}");
}

#[test]
fn softmax_learns_under_all_rules() {
    for settings in [
        softmax(),
        Settings {
            rule: Some(RuleKind::Vote),
            ..softmax()
        },
        Settings {
            directions: Some(FamilyKind::Hadamard),
            ..softmax()
        },
    ] {
        let accuracy = accuracy(settings.clone(), &[(4, HONEST)]);
        assert!(accuracy >= 0.87, "{accuracy} with {settings:?}");
    }
}

#[test]
fn zeroth_order_learns() {
    let zeroth = Settings {
        order: Some(OrderKind::Zeroth),
        batch: Some(32),
        horizon: Some(4000.0),
        ..softmax()
    };
    for directions in [None, Some(FamilyKind::Hadamard)] {
        let accuracy = accuracy(
            Settings {
                directions,
                ..zeroth.clone()
            },
            &[(4, HONEST)],
        );
        assert!(accuracy >= 0.8, "{accuracy} with {directions:?}");
    }
}

/// Returns settings without verification, so that only the rule limits attackers.
fn unverified() -> Settings {
    Settings {
        rule: Some(RuleKind::Plain),
        ..softmax()
    }
}

#[test]
fn three_of_ten_attackers_tolerated() {
    let clean = accuracy(unverified(), &[(10, HONEST)]);
    let attacked = accuracy(unverified(), &[(7, HONEST), (3, Attack::SignFlip)]);
    assert!(
        attacked >= clean - 0.03,
        "{attacked} with attackers, {clean} without"
    );
}

#[test]
fn attacker_majority_breaks_plain_rule() {
    let attacked = accuracy(unverified(), &[(3, HONEST), (7, Attack::SignFlip)]);
    assert!(attacked < 0.3, "{attacked}");
}

#[test]
fn stragglers_do_not_block_training() {
    let server = TestServer::start(softmax());
    let _stalled: Vec<_> = (0..3).map(|_| RawClient::join(&server)).collect();
    for _ in 0..2 {
        drop(RawClient::join(&server)); // disconnects with an open task
    }
    assert_eq!(
        server.train(&[(2, HONEST)]),
        [WorkerExit::Finished, WorkerExit::Finished]
    );
    let accuracy = server.final_accuracy();
    assert!(accuracy >= 0.87, "{accuracy}");
}

#[test]
fn run_without_horizon_stops_cleanly() {
    let settings = Settings {
        schedule: Some(ScheduleKind::PowerLaw),
        ..softmax()
    };
    let server = TestServer::start(settings);
    std::thread::scope(|scope| {
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let options = server.fleet(2);
        let fleet = scope.spawn(move || {
            let stats = std::sync::Arc::default();
            farsign_volunteer::run_fleet(&options, &stats, &stopping, |_, _| {})
        });
        let status = server.wait_until("300 updates", |status| {
            status["accepted"].as_u64() >= Some(300)
        });
        assert!(
            status["run"]["progress"].is_null() && status["run"]["phase"] == "training",
            "{status}"
        );
        stop.send_replace(true);
        assert_eq!(
            fleet.join().unwrap().unwrap(),
            [WorkerExit::Stopped, WorkerExit::Stopped]
        );
    });
}

#[test]
fn shutdown_sends_retry_after() {
    let server = TestServer::start(softmax());
    let (mut volunteer, _) = RawClient::join(&server);
    drop(server);
    let goodbye = volunteer.recv().goodbye.expect("a goodbye");
    assert_eq!(goodbye.reason, farsign::task::GoodbyeReason::ShuttingDown);
    assert!(goodbye.retry_after_ms.is_some());
    assert_eq!(volunteer.recv_close(), 1001);
}
