//! Answers are computed again: whoever lies is removed and told why, and nobody else ever is.

use std::sync::Arc;

use farsign::task::{GoodbyeReason, Secret};
use farsign::volunteer::{Event, Volunteer};
use farsign::wire::{Abilities, Hello};
use farsign_server::settings::{FamilyKind, ModelKind, OrderKind, RuleKind, Settings};
use farsign_server::volunteer::{Attack, WorkerEnd};
use farsign_tests::host::Host;
use farsign_tests::raw::RawVolunteer;
use farsign_tests::waiting;
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

fn everything_checked() -> Vec<Settings> {
    let everything =
        Settings { check_share: Some(1.0), check_cpu_share: Some(1.0), horizon: Some(400.0), ..softmax() };
    let zeroth = Settings { order: Some(OrderKind::Zeroth), batch: Some(32), ..everything.clone() };
    vec![
        Settings { model: Some(ModelKind::Mlp), ..everything.clone() },
        Settings { directions: Some(FamilyKind::Hadamard), ..everything.clone() },
        Settings { direction_hold: Some(5), ..zeroth.clone() },
        zeroth,
        everything,
    ]
}

#[test]
fn nobody_honest_is_removed_when_everything_is_checked() {
    for settings in everything_checked() {
        let host = Host::start(settings.clone());
        let ends = host.train(&[(4, HONEST)]);
        assert!(ends.iter().all(|end| *end == WorkerEnd::Finished), "{ends:?} with {settings:?}");
        let status = host.status();
        assert_eq!(checks(&status, "failed"), 0, "{settings:?}");
        assert!(checks(&status, "passed") > 0, "{settings:?}");
    }
}

/// Of an honest volunteer that answers only when its last answer was checked: every one is computed again, whatever its
/// place since the reset.
fn every_answer_passes(settings: Settings, abilities: Abilities) {
    const ANSWERS: u64 = 30; // several resets
    let host = Host::start(settings.clone());
    let mut connection = RawVolunteer::connect(&host);
    connection.hello_with(abilities);
    let mut volunteer = Volunteer::new(Arc::clone(&host.app().data.train));
    let (mut events, mut frame) = (Vec::new(), Vec::new());
    for answered in 1..=ANSWERS {
        volunteer.receive(&connection.hear_frame(), &mut events).expect("the server's frames are right");
        let task = events.drain(..).find_map(|event| match event {
            Event::Task(task) => Some(task),
            _ => None,
        });
        frame.clear();
        volunteer.answer(&task.expect("a task in every frame"), &mut frame).expect("an answer");
        connection.send(frame.clone());
        host.wait_until("the check", |status| checks(status, "passed") == answered);
    }
    assert_eq!(checks(&host.status(), "recomputed"), ANSWERS, "{settings:?}");
}

#[test]
fn every_answer_of_whoever_waits_for_the_checks_is_computed_again() {
    for settings in everything_checked() {
        every_answer_passes(settings, Abilities::default());
    }
}

#[test]
fn answers_to_snapshots_in_half_precision_pass() {
    for settings in everything_checked() {
        every_answer_passes(settings, Abilities { half_snapshots: true, ..Abilities::default() });
    }
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

/// Lies eight times, each under another name, goes at once in this way, and leaves nothing behind. It is gone before the
/// server has computed its answer again, or after: both end the same.
fn nothing_stays_of_liars_who(go: impl Fn(&Host, RawVolunteer, &Hello<'_>) -> Option<RawVolunteer>) {
    // The checker rests longer than it works, so that most are gone before.
    let host = Host::start(Settings { check_share: Some(1.0), check_cpu_share: Some(0.05), ..softmax() });
    let before = host.app().coordinator.snapshot().x.to_vec();
    for round in 1..=8 {
        let hello = Hello { secret: Some(Secret([round as u8; 16])), ..Hello::default() };
        let mut liar = RawVolunteer::connect(&host);
        liar.hello_as(&hello);
        let task = liar.hear().task.expect("a task");
        liar.answer(task.id, &every_sign_negative(before.len()));
        let _again = go(&host, liar, &hello);
        host.wait_until("the check", |status| checks(status, "failed") == round);
    }
    let distance = |x: &[f32]| before.iter().zip(x).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let after = waiting::until_some("the parameters as they were", || {
        Some(host.app().coordinator.snapshot()).filter(|after| distance(&after.x) < 1e-6)
    });
    assert_eq!(after.accepted, 8);
}

#[test]
fn who_lies_and_leaves_at_once_has_what_it_did_taken_back() {
    nothing_stays_of_liars_who(|_, liar, _| {
        drop(liar);
        None
    });
}

#[test]
fn who_lies_and_joins_again_at_once_has_what_it_did_taken_back() {
    nothing_stays_of_liars_who(|host, _liar, hello| {
        let mut again = RawVolunteer::connect(host);
        again.hello_as(hello);
        Some(again)
    });
}
