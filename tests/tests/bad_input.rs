//! Bad input gets a typed reason, is counted, and never touches the model.

use farsign::task::{GoodbyeReason, RejectReason, Task, TaskId};
use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::host::Host;
use farsign_tests::raw::RawVolunteer;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Softmax on the built-in data has 7,850 parameters: 982 bytes of sign bits, with 6 spare bits.
const BIT_BYTES: usize = 982;

fn host() -> Host {
    // Answers here are bits of any kind, and some are to be accepted.
    Host::start(Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        ..Settings::default()
    })
}

fn right_bits() -> Vec<u8> {
    let mut bits = vec![0xaa; BIT_BYTES];
    bits[BIT_BYTES - 1] = 0b10;
    bits
}

fn model(host: &Host) -> Vec<u8> {
    host.get("/api/v1/snapshot")
}

/// Sends an answer that must be rejected; the model stays as it was and the status counts the reason.
/// Gives the next task, if the server handed one out.
fn assert_rejected(
    host: &Host,
    volunteer: &mut RawVolunteer,
    task: TaskId,
    bits: &[u8],
    expected: RejectReason,
) -> Option<Task> {
    let (before, counted) = (model(host), host.status()["rejected"][expected.name()].as_u64().unwrap());
    volunteer.answer(task, bits);
    let said = volunteer.hear();
    assert_eq!(said.rejected, Some((task, expected)), "{said:?}");
    assert_eq!(said.accepted, None);
    assert_eq!(model(host), before, "a rejected answer moved the model");
    assert_eq!(host.status()["rejected"][expected.name()], counted + 1);
    said.task
}

/// An honest answer still goes through: the session and the model live.
fn assert_still_works(volunteer: &mut RawVolunteer, task: Task) {
    volunteer.answer(task.id, &right_bits());
    let said = volunteer.hear();
    assert!(said.accepted.is_some() && said.task.is_some(), "{said:?}");
}

/// Does something that ends the session; it ends with this reason and close code, is counted, and leaves the model.
fn assert_ended(
    host: &Host,
    volunteer: &mut RawVolunteer,
    act: impl FnOnce(&mut RawVolunteer),
    expected: (GoodbyeReason, u16),
) {
    let (before, (reason, code)) = (model(host), expected);
    act(volunteer);
    let said = volunteer.hear();
    assert_eq!(said.goodbye.map(|goodbye| goodbye.reason), Some(reason), "{said:?}");
    assert_eq!(volunteer.hear_close(), code);
    assert_eq!(model(host), before, "the model moved");
    assert_eq!(host.status()["ended"][reason.name()], 1);
}

#[test]
fn wrong_bit_count_and_spare_bits_cost_the_task_but_not_the_session() {
    let host = host();
    let (mut volunteer, task) = RawVolunteer::join(&host);
    let next =
        assert_rejected(&host, &mut volunteer, task.id, &[0; BIT_BYTES - 1], RejectReason::WrongBitCount);
    let mut spare = right_bits();
    spare[BIT_BYTES - 1] = 0b100;
    let next = next.expect("the task is closed, another follows");
    let next = assert_rejected(&host, &mut volunteer, next.id, &spare, RejectReason::SpareBitsSet);
    assert_still_works(&mut volunteer, next.expect("another follows"));
}

#[test]
fn unknown_answered_and_foreign_tasks_leave_the_open_task_open() {
    let host = host();
    let (mut volunteer, task) = RawVolunteer::join(&host);
    let (mut other, foreign) = RawVolunteer::join(&host);
    let bits = right_bits();

    let unknown = TaskId(task.id.0 + 1_000_000);
    assert_eq!(assert_rejected(&host, &mut volunteer, unknown, &bits, RejectReason::UnknownTask), None);
    assert_eq!(assert_rejected(&host, &mut volunteer, foreign.id, &bits, RejectReason::NotYourTask), None);

    volunteer.answer(task.id, &bits);
    let next = volunteer.hear().task.expect("the open task was still open");
    assert_eq!(assert_rejected(&host, &mut volunteer, task.id, &bits, RejectReason::AlreadyAnswered), None);
    assert_still_works(&mut volunteer, next);
    assert_still_works(&mut other, foreign);
}

#[test]
fn a_task_of_a_session_that_left_is_nobody_elses() {
    let host = host();
    let (leaver, task) = RawVolunteer::join(&host);
    drop(leaver);
    host.wait_until("the end of the session", |status| status["volunteers"]["connected"] == 0);
    let (mut volunteer, _) = RawVolunteer::join(&host);
    assert_rejected(&host, &mut volunteer, task.id, &right_bits(), RejectReason::NotYourTask);
}

#[test]
fn eight_rejections_in_a_row_end_the_session() {
    let host = host();
    let (mut volunteer, task) = RawVolunteer::join(&host);
    let unknown = TaskId(task.id.0 + 1_000_000);
    let bits = right_bits();
    for _ in 0..7 {
        assert_rejected(&host, &mut volunteer, unknown, &bits, RejectReason::UnknownTask);
    }
    assert_still_works(&mut volunteer, task); // and starts the count again
    for _ in 0..8 {
        assert_rejected(&host, &mut volunteer, unknown, &bits, RejectReason::UnknownTask);
    }
    assert_ended(&host, &mut volunteer, |_| {}, (GoodbyeReason::TooManyRejects, 1008));
}

#[test]
fn frames_that_cannot_be_read_end_the_session() {
    type Act = Box<dyn FnOnce(&mut RawVolunteer)>;
    let frame = |bytes: Vec<u8>| -> Act { Box::new(|volunteer| volunteer.send(bytes)) };
    let cases: [(&str, Act, GoodbyeReason, u16); 9] = [
        ("another version", frame(vec![2, 2, 0, 0, 0, 0]), GoodbyeReason::UnsupportedVersion, 1002),
        ("an empty frame", frame(vec![]), GoodbyeReason::Malformed, 1002),
        ("no record", frame(vec![1]), GoodbyeReason::Malformed, 1002),
        ("an unknown kind", frame(vec![1, 0x7f, 0, 0, 0, 0]), GoodbyeReason::Malformed, 1002),
        ("a record cut short", frame(vec![1, 2, 9, 0, 0, 0, 1]), GoodbyeReason::Malformed, 1002),
        ("a record of the server", frame(vec![1, 0x83, 0, 0, 0, 0]), GoodbyeReason::Malformed, 1002),
        ("a second hello", Box::new(RawVolunteer::hello), GoodbyeReason::Malformed, 1002),
        (
            "a text",
            Box::new(|volunteer: &mut RawVolunteer| volunteer.send_message(Message::text("hello"))),
            GoodbyeReason::Malformed,
            1002,
        ),
        ("too many bytes", frame(vec![1; 14 + BIT_BYTES + 1]), GoodbyeReason::Oversize, 1009),
    ];
    for (what, act, reason, code) in cases {
        let host = host();
        let (mut volunteer, _) = RawVolunteer::join(&host);
        println!("{what}");
        assert_ended(&host, &mut volunteer, act, (reason, code));
        host.wait_until("the end of the session", |status| status["volunteers"]["connected"] == 0);
    }
}

#[test]
fn pings_without_end_end_the_session() {
    let host = host();
    let (mut volunteer, task) = RawVolunteer::join(&host);
    let ping = |volunteer: &mut RawVolunteer, times: u32| {
        (0..times).for_each(|_| volunteer.send_message(Message::Ping(Bytes::new())));
    };
    ping(&mut volunteer, 256);
    volunteer.answer(task.id, &right_bits());
    assert!(volunteer.hear().accepted.is_some(), "so many are nobody's business");
    ping(&mut volunteer, 256);
    let one_more = |volunteer: &mut RawVolunteer| ping(volunteer, 1);
    assert_ended(&host, &mut volunteer, one_more, (GoodbyeReason::TooManyPings, 1008));
}

#[test]
fn a_session_begins_with_a_hello_in_time() {
    let host = host();
    let mut hasty = RawVolunteer::connect(&host);
    let answer = |volunteer: &mut RawVolunteer| volunteer.answer(TaskId(1), &right_bits());
    assert_ended(&host, &mut hasty, answer, (GoodbyeReason::NoHello, 1002));

    let host = Host::start(Settings { hello_timeout_ms: Some(100), ..Settings::default() });
    let mut silent = RawVolunteer::connect(&host);
    assert_ended(&host, &mut silent, |_| {}, (GoodbyeReason::NoHello, 1002));
}

#[test]
fn a_volunteer_that_never_answers_loses_its_place_and_nothing_else_happens() {
    let host =
        Host::start(Settings { task_expiry_ms: Some(100), max_volunteers: Some(1), ..Settings::default() });
    let (mut idle, _) = RawVolunteer::join(&host);
    let mut turned_away = RawVolunteer::connect(&host);
    let goodbye = turned_away.hear().goodbye.expect("there is no place left");
    assert_eq!(goodbye.reason, GoodbyeReason::ServerFull);
    assert!(goodbye.retry_after_ms.is_some_and(|wait_ms| wait_ms >= 5000), "{goodbye:?}");

    assert_ended(&host, &mut idle, |_| {}, (GoodbyeReason::NoAnswer, 1000));
    host.wait_until("a free place", |status| status["volunteers"]["connected"] == 0);
    RawVolunteer::join(&host);
    assert_eq!(host.status()["accepted"], 0);
}
