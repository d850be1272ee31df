//! Answers are computed again: whoever lies is removed and told why, and nobody else ever is.

use farsign::task::GoodbyeReason;
use farsign_server::settings::{FamilyKind, ModelKind, OrderKind, RuleKind, Settings};
use farsign_server::volunteer::{Attack, VolunteerOptions, WorkerEnd};
use farsign_tests::host::Host;
use farsign_tests::raw::RawVolunteer;
use serde_json::Value;

const HONEST: Attack = Attack::None;

fn softmax() -> Settings {
    Settings { model: Some(ModelKind::Softmax), horizon: Some(2500.0), ..Settings::default() }
}

fn checks(status: &Value, what: &str) -> u64 {
    status["checks"][what].as_u64().unwrap_or_else(|| panic!("no {what} in {status:#}"))
}

#[test]
fn seven_liars_of_ten_are_removed_and_the_model_learns() {
    let host = Host::start(softmax());
    let ends = host.train(&[(3, HONEST), (7, Attack::SignFlip)]);
    let (honest, liars) = ends.split_at(3);
    assert!(honest.iter().all(|end| *end == WorkerEnd::Finished), "{honest:?}");
    let removed = WorkerEnd::Removed(GoodbyeReason::WrongAnswer);
    assert!(liars.iter().all(|end| *end == removed), "{liars:?}");
    assert_eq!(checks(&host.status(), "failed"), 7);
    let reached = host.final_accuracy();
    assert!(reached >= 0.87, "{reached}");
}

#[test]
fn every_kind_of_lie_is_found() {
    let host = Host::start(Settings { check_share: Some(0.1), ..softmax() });
    let fleets: Vec<_> = [(2, HONEST)].into_iter().chain(Attack::LIES.map(|attack| (1, attack))).collect();
    let ends = host.train(&fleets);
    assert!(ends[..2].iter().all(|end| *end == WorkerEnd::Finished), "{ends:?}");
    for (end, attack) in ends[2..].iter().zip(Attack::LIES) {
        assert_eq!(*end, WorkerEnd::Removed(GoodbyeReason::WrongAnswer), "{attack:?}");
    }
}

#[test]
fn honest_answers_pass_when_every_one_is_checked() {
    let everything = Settings { check_share: Some(1.0), check_cpu_share: Some(1.0), ..softmax() };
    let of = |settings: Settings| Settings { horizon: Some(400.0), ..settings };
    for settings in [
        of(everything.clone()),
        of(Settings { model: Some(ModelKind::Mlp), ..everything.clone() }),
        of(Settings { directions: Some(FamilyKind::Hadamard), ..everything.clone() }),
        of(Settings { order: Some(OrderKind::Zeroth), batch: Some(32), ..everything.clone() }),
        of(Settings {
            order: Some(OrderKind::Zeroth),
            batch: Some(32),
            direction_hold: Some(5),
            ..everything
        }),
    ] {
        let host = Host::start(settings.clone());
        let ends = host.train(&[(4, HONEST)]);
        assert!(ends.iter().all(|end| *end == WorkerEnd::Finished), "{ends:?} with {settings:?}");
        let status = host.status();
        assert_eq!(checks(&status, "failed"), 0, "{settings:?}");
        // Those at the end of an interval wait for no check; had only the answers to resets been computed again, it would
        // be an eighth.
        let (again, accepted) = (checks(&status, "recomputed"), status["accepted"].as_u64().unwrap());
        assert!(4 * again >= accepted, "{settings:?}: {again} of {accepted}, {}", status["checks"]);
    }
}

#[test]
fn answers_to_snapshots_in_half_precision_pass() {
    let settings = Settings { check_share: Some(1.0), horizon: Some(400.0), ..softmax() };
    let host = Host::start(settings);
    let fleet = VolunteerOptions { half_snapshots: true, ..host.fleet(3) };
    assert!(host.train_with(&[fleet]).iter().all(|end| *end == WorkerEnd::Finished));
    assert_eq!(checks(&host.status(), "failed"), 0);
    assert!(checks(&host.status(), "passed") >= 20);
}

#[test]
fn an_answer_of_the_wrong_length_does_not_make_the_next_honest_ones_wrong() {
    let host = Host::start(Settings { check_share: Some(1.0), ..softmax() });
    let (mut volunteer, mut task) = RawVolunteer::join(&host);
    assert!(task.reset_tracker);
    volunteer.answer(task.id, &[0; 3]);
    task = volunteer.hear().task.expect("a new task");
    assert!(task.reset_tracker, "the tracker is unknown after an answer that was none");
}

#[test]
fn under_plain_nothing_is_checked() {
    let host = Host::start(Settings { rule: Some(RuleKind::Plain), horizon: Some(300.0), ..softmax() });
    assert_eq!(host.train(&[(2, Attack::Constant)]), [WorkerEnd::Finished, WorkerEnd::Finished]);
    assert_eq!(checks(&host.status(), "recomputed"), 0);
}

/// So many signs; bits beyond the last are 0.
fn every_sign_negative(count: usize) -> Vec<u8> {
    vec![0; count.div_ceil(8)]
}

/// It is gone before the server has computed its answer again, or after: both end the same.
#[test]
fn who_lies_and_leaves_at_once_has_what_it_did_taken_back() {
    let host = Host::start(Settings { check_share: Some(1.0), check_cpu_share: Some(1.0), ..softmax() });
    let before = host.app().coordinator.snapshot().x.to_vec();
    for round in 1..=8 {
        let (mut liar, task) = RawVolunteer::join(&host);
        liar.answer(task.id, &every_sign_negative(before.len()));
        drop(liar);
        host.wait_until("the check", |status| checks(status, "failed") == round);
    }
    let after = host.app().coordinator.snapshot();
    assert_eq!(after.accepted, 8);
    let far = before.iter().zip(&*after.x).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 1e-6, "a parameter is {far} away from where it was");
}
