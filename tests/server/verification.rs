//! Verification: attackers are ejected with their reason and rolled back, and honest volunteers never are.

use farsign::task::{GoodbyeReason, Secret};
use farsign::volunteer::Volunteer;
use farsign::wire::Hello;
use farsign_server::config::settings::{FamilyKind, ModelKind, OrderKind, RuleKind, Settings};
use farsign_tests::raw_client::RawClient;
use farsign_tests::test_server::TestServer;
use farsign_tests::wait;
use farsign_volunteer::{Attack, WorkerExit};
use serde_json::Value;

const HONEST: Attack = Attack::None;

fn softmax() -> Settings {
    Settings {
        model: Some(ModelKind::Softmax),
        horizon: Some(2500.0),
        ..Settings::default()
    }
}

fn verifications(status: &Value, what: &str) -> u64 {
    status["verification"][what]
        .as_u64()
        .unwrap_or_else(|| panic!("no {what} in {status:#}"))
}

#[test]
fn attacker_majority_is_ejected() {
    let server = TestServer::start(softmax());
    let exits = server.train(&[(3, HONEST), (7, Attack::SignFlip)]);
    let (honest, attackers) = exits.split_at(3);
    assert!(
        honest.iter().all(|exit| *exit == WorkerExit::Finished),
        "{honest:?}"
    );
    let ejected = WorkerExit::Ejected(GoodbyeReason::FailedVerification);
    assert!(
        attackers.iter().all(|exit| *exit == ejected),
        "{attackers:?}"
    );
    assert_eq!(verifications(&server.status(), "failed"), 7);
    let accuracy = server.final_accuracy();
    assert!(accuracy >= 0.87, "{accuracy}");
}

#[test]
fn every_attack_is_detected() {
    let server = TestServer::start(Settings {
        verify_probability: Some(0.1),
        ..softmax()
    });
    let fleets: Vec<_> = [(2, HONEST)]
        .into_iter()
        .chain(Attack::ALL.map(|attack| (1, attack)))
        .collect();
    let exits = server.train(&fleets);
    assert!(
        exits[..2].iter().all(|exit| *exit == WorkerExit::Finished),
        "{exits:?}"
    );
    for (exit, attack) in exits[2..].iter().zip(Attack::ALL) {
        assert_eq!(
            *exit,
            WorkerExit::Ejected(GoodbyeReason::FailedVerification),
            "{attack:?}"
        );
    }
}

/// Returns settings of several kinds of runs that verify every update.
fn verify_everything() -> Vec<Settings> {
    let everything = Settings {
        verify_probability: Some(1.0),
        verify_cpu_fraction: Some(1.0),
        horizon: Some(400.0),
        ..softmax()
    };
    let zeroth = Settings {
        order: Some(OrderKind::Zeroth),
        batch: Some(32),
        ..everything.clone()
    };
    vec![
        Settings {
            model: Some(ModelKind::Mlp),
            ..everything.clone()
        },
        Settings {
            directions: Some(FamilyKind::Hadamard),
            ..everything.clone()
        },
        Settings {
            direction_reuse: Some(5),
            ..zeroth.clone()
        },
        zeroth,
        everything,
    ]
}

#[test]
fn honest_volunteers_pass_full_verification() {
    for settings in verify_everything() {
        let server = TestServer::start(settings.clone());
        let exits = server.train(&[(4, HONEST)]);
        assert!(
            exits.iter().all(|exit| *exit == WorkerExit::Finished),
            "{exits:?} with {settings:?}"
        );
        let status = server.status();
        assert_eq!(verifications(&status, "failed"), 0, "{settings:?}");
        assert!(verifications(&status, "passed") > 0, "{settings:?}");
    }
}

/// Runs an honest volunteer that waits for each verification, and asserts that every update is recomputed and passes.
fn assert_every_update_passes(settings: Settings) {
    const UPDATES: u64 = 30; // several momentum resets
    let server = TestServer::start(settings.clone());
    let mut connection = RawClient::connect(&server);
    connection.send_hello(&Hello::default());
    let mut volunteer = Volunteer::new(server.state().data.shards.data().clone());
    let mut frame = Vec::new();
    for count in 1..=UPDATES {
        // The wait for a verification looks like a long line, after which two tasks may be open.
        let task = connection.next_task(&mut volunteer);
        volunteer
            .write_update(&task, &mut frame)
            .expect("an update");
        connection.send_frame(frame.clone());
        server.wait_until("the verification", |status| {
            verifications(status, "passed") == count
        });
    }
    assert_eq!(
        verifications(&server.status(), "recomputed"),
        UPDATES,
        "{settings:?}"
    );
}

#[test]
fn every_update_is_recomputed() {
    for settings in verify_everything() {
        assert_every_update_passes(settings);
    }
}

#[test]
fn rejected_update_resets_momentum() {
    let server = TestServer::start(Settings {
        verify_probability: Some(1.0),
        ..softmax()
    });
    let (mut volunteer, task) = RawClient::join(&server);
    assert!(task.reset_momentum);
    volunteer.send_update(task.id, &[0; 3]);
    let task = volunteer.recv().task.expect("a new task");
    assert!(
        task.reset_momentum,
        "the momentum is unknown after an invalid update"
    );
}

#[test]
fn plain_rule_skips_verification() {
    let server = TestServer::start(Settings {
        rule: Some(RuleKind::Plain),
        horizon: Some(300.0),
        ..softmax()
    });
    assert_eq!(
        server.train(&[(2, Attack::ConstantSign)]),
        [WorkerExit::Finished, WorkerExit::Finished]
    );
    assert_eq!(verifications(&server.status(), "recomputed"), 0);
}

/// Returns an update of negative signs.
fn negative_signs(count: usize) -> Vec<u8> {
    vec![0; count.div_ceil(8)]
}

/// Asserts that the model returns to its initial state after eight attackers that leave before their verification.
///
/// Each attacker has its own identity, sends one malicious update and leaves as `leave` does. A verification that
/// finishes earlier has the same result.
fn assert_attackers_are_rolled_back(
    leave: impl Fn(&TestServer, RawClient, &Hello<'_>) -> Option<RawClient>,
) {
    // The low CPU fraction delays verification, so that most attackers leave first.
    let server = TestServer::start(Settings {
        verify_probability: Some(1.0),
        verify_cpu_fraction: Some(0.05),
        ..softmax()
    });
    let before = server.state().gateway.snapshot().parameters().to_vec();
    for round in 1..=8 {
        let hello = Hello {
            secret: Some(Secret([round as u8; 16])),
            ..Hello::default()
        };
        let mut attacker = RawClient::connect(&server);
        attacker.send_hello(&hello);
        let task = attacker.recv().task.expect("a task");
        attacker.send_update(task.id, &negative_signs(before.len()));
        let reply = attacker.recv();
        let is_ejected = reply
            .goodbye
            .is_some_and(|goodbye| goodbye.reason == GoodbyeReason::FailedVerification);
        assert!(reply.accepted.is_some() || is_ejected, "{reply:?}");
        let _rejoined = leave(&server, attacker, &hello);
        server.wait_until("the verification", |status| {
            verifications(status, "failed") == round
        });
    }
    let distance = |x: &[f32]| {
        before
            .iter()
            .zip(x)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max)
    };
    let after = wait::wait_for_some("the initial parameters", || {
        Some(server.state().gateway.snapshot()).filter(|after| distance(after.parameters()) == 0.0)
    });
    assert_eq!(after.accepted, 8);
}

#[test]
fn disconnected_attacker_is_rolled_back() {
    assert_attackers_are_rolled_back(|_, attacker, _| {
        drop(attacker);
        None
    });
}

#[test]
fn reconnected_attacker_is_rolled_back() {
    assert_attackers_are_rolled_back(|server, _attacker, hello| {
        let mut rejoined = RawClient::connect(server);
        rejoined.send_hello(hello);
        Some(rejoined)
    });
}
