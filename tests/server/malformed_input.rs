//! Malformed input gets a typed reason, is counted, and never changes the model.

use farsign::task::{GoodbyeReason, RejectReason, Task, TaskId};
use farsign::wire::{Hello, VERSION};
use farsign_server::config::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::raw_client::RawClient;
use farsign_tests::test_server::TestServer;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Softmax on the built-in data has 7,850 parameters: 982 bytes of sign bits, with 6 spare bits.
const BIT_BYTES: usize = 982;

fn start_server() -> TestServer {
    // Without verification the server accepts updates of any bits.
    TestServer::start(Settings {
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

fn model(server: &TestServer) -> Vec<u8> {
    server.get("/api/v1/snapshot")
}

/// Sends an update that must be rejected, and returns the next task if the server sent one.
///
/// The model must stay unchanged, and the status must count the reason.
fn assert_rejected(
    server: &TestServer,
    volunteer: &mut RawClient,
    task: TaskId,
    bits: &[u8],
    expected: RejectReason,
) -> Option<Task> {
    let before = model(server);
    let counted = server.status()["rejected"][expected.name()]
        .as_u64()
        .unwrap();
    volunteer.send_update(task, bits);
    let received = volunteer.recv();
    assert_eq!(received.rejected, Some((task, expected)), "{received:?}");
    assert_eq!(received.accepted, None);
    assert_eq!(model(server), before, "a rejected update changed the model");
    assert_eq!(server.status()["rejected"][expected.name()], counted + 1);
    received.task
}

/// Asserts that a valid update is still accepted.
fn assert_still_works(volunteer: &mut RawClient, task: Task) {
    volunteer.send_update(task.id, &right_bits());
    let received = volunteer.recv();
    assert!(
        received.accepted.is_some() && received.task.is_some(),
        "{received:?}"
    );
}

/// Asserts that an action ends the session with a reason and a close code.
///
/// The model must stay unchanged, and the status must count the reason.
fn assert_ended(
    server: &TestServer,
    volunteer: &mut RawClient,
    action: impl FnOnce(&mut RawClient),
    expected: (GoodbyeReason, u16),
) {
    let before = model(server);
    let (reason, code) = expected;
    action(volunteer);
    let received = volunteer.recv();
    assert_eq!(
        received.goodbye.map(|goodbye| goodbye.reason),
        Some(reason),
        "{received:?}"
    );
    assert_eq!(volunteer.recv_close(), code);
    assert_eq!(model(server), before, "the model changed");
    assert_eq!(server.status()["sessions_ended"][reason.name()], 1);
}

#[test]
fn malformed_update_keeps_session_open() {
    let server = start_server();
    let (mut volunteer, task) = RawClient::join(&server);
    let next = assert_rejected(
        &server,
        &mut volunteer,
        task.id,
        &[0; BIT_BYTES - 1],
        RejectReason::WrongBitCount,
    );
    let mut spare = right_bits();
    spare[BIT_BYTES - 1] = 0b100;
    let next = next.expect("the rejection closes the task");
    let next = assert_rejected(
        &server,
        &mut volunteer,
        next.id,
        &spare,
        RejectReason::SpareBitsSet,
    );
    assert_still_works(&mut volunteer, next.expect("the rejection closes the task"));
}

#[test]
fn misdirected_update_keeps_task_open() {
    let server = start_server();
    let (mut volunteer, task) = RawClient::join(&server);
    let (mut other, foreign) = RawClient::join(&server);
    let bits = right_bits();

    let unknown = TaskId(task.id.0 + 1_000_000);
    assert_eq!(
        assert_rejected(
            &server,
            &mut volunteer,
            unknown,
            &bits,
            RejectReason::UnknownTask
        ),
        None
    );
    assert_eq!(
        assert_rejected(
            &server,
            &mut volunteer,
            foreign.id,
            &bits,
            RejectReason::NotYourTask
        ),
        None
    );

    volunteer.send_update(task.id, &bits);
    let next = volunteer.recv().task.expect("the task was still open");
    assert_eq!(
        assert_rejected(
            &server,
            &mut volunteer,
            task.id,
            &bits,
            RejectReason::DuplicateUpdate
        ),
        None
    );
    assert_still_works(&mut volunteer, next);
    assert_still_works(&mut other, foreign);
}

#[test]
fn task_of_ended_session_is_rejected() {
    let server = start_server();
    let (leaver, task) = RawClient::join(&server);
    drop(leaver);
    server.wait_until("the end of the session", |status| {
        status["volunteers"]["connected"] == 0
    });
    let (mut volunteer, _) = RawClient::join(&server);
    assert_rejected(
        &server,
        &mut volunteer,
        task.id,
        &right_bits(),
        RejectReason::NotYourTask,
    );
}

#[test]
fn eight_consecutive_rejections_end_session() {
    let server = start_server();
    let (mut volunteer, task) = RawClient::join(&server);
    let unknown = TaskId(task.id.0 + 1_000_000);
    let bits = right_bits();
    for _ in 0..7 {
        assert_rejected(
            &server,
            &mut volunteer,
            unknown,
            &bits,
            RejectReason::UnknownTask,
        );
    }
    assert_still_works(&mut volunteer, task); // resets the count
    for _ in 0..8 {
        assert_rejected(
            &server,
            &mut volunteer,
            unknown,
            &bits,
            RejectReason::UnknownTask,
        );
    }
    assert_ended(
        &server,
        &mut volunteer,
        |_| {},
        (GoodbyeReason::TooManyRejects, 1008),
    );
}

#[test]
fn malformed_frame_ends_session() {
    type Action = Box<dyn FnOnce(&mut RawClient)>;
    let frame = |bytes: Vec<u8>| -> Action { Box::new(|volunteer| volunteer.send_frame(bytes)) };
    let cases: [(&str, Action, GoodbyeReason, u16); 9] = [
        (
            "unsupported version",
            frame(vec![1, 2, 0, 0, 0, 0]),
            GoodbyeReason::UnsupportedVersion,
            1002,
        ),
        (
            "an empty frame",
            frame(vec![]),
            GoodbyeReason::Malformed,
            1002,
        ),
        (
            "no record",
            frame(vec![VERSION]),
            GoodbyeReason::Malformed,
            1002,
        ),
        (
            "an unknown kind",
            frame(vec![VERSION, 0x7f, 0, 0, 0, 0]),
            GoodbyeReason::Malformed,
            1002,
        ),
        (
            "a truncated record",
            frame(vec![VERSION, 2, 9, 0, 0, 0, 1]),
            GoodbyeReason::Malformed,
            1002,
        ),
        (
            "a record of the server",
            frame(vec![VERSION, 0x83, 0, 0, 0, 0]),
            GoodbyeReason::Malformed,
            1002,
        ),
        (
            "a second hello",
            Box::new(|volunteer: &mut RawClient| volunteer.send_hello(&Hello::default())),
            GoodbyeReason::Malformed,
            1002,
        ),
        (
            "a text",
            Box::new(|volunteer: &mut RawClient| volunteer.send_message(Message::text("hello"))),
            GoodbyeReason::Malformed,
            1002,
        ),
        (
            "too many bytes",
            frame(vec![1; 14 + BIT_BYTES + 1]),
            GoodbyeReason::Oversize,
            1009,
        ),
    ];
    for (what, action, reason, code) in cases {
        let server = start_server();
        let (mut volunteer, _) = RawClient::join(&server);
        println!("{what}");
        assert_ended(&server, &mut volunteer, action, (reason, code));
        server.wait_until("the end of the session", |status| {
            status["volunteers"]["connected"] == 0
        });
    }
}

#[test]
fn too_many_pings_end_session() {
    let server = start_server();
    let (mut volunteer, task) = RawClient::join(&server);
    let ping = |volunteer: &mut RawClient, times: u32| {
        (0..times).for_each(|_| volunteer.send_message(Message::Ping(Bytes::new())));
    };
    ping(&mut volunteer, 256);
    volunteer.send_update(task.id, &right_bits());
    assert!(
        volunteer.recv().accepted.is_some(),
        "the limit is not exceeded"
    );
    ping(&mut volunteer, 256);
    let one_more = |volunteer: &mut RawClient| ping(volunteer, 1);
    assert_ended(
        &server,
        &mut volunteer,
        one_more,
        (GoodbyeReason::TooManyPings, 1008),
    );
}

#[test]
fn missing_hello_ends_session() {
    let server = start_server();
    let mut early = RawClient::connect(&server);
    let update = |volunteer: &mut RawClient| volunteer.send_update(TaskId(1), &right_bits());
    assert_ended(
        &server,
        &mut early,
        update,
        (GoodbyeReason::HelloMissing, 1002),
    );

    let server = TestServer::start(Settings {
        hello_timeout_ms: Some(100),
        ..Settings::default()
    });
    let mut silent = RawClient::connect(&server);
    assert_ended(
        &server,
        &mut silent,
        |_| {},
        (GoodbyeReason::HelloMissing, 1002),
    );
}

#[test]
fn task_timeout_releases_permit() {
    let server = TestServer::start(Settings {
        task_timeout_ms: Some(100),
        max_volunteers: Some(1),
        ..Settings::default()
    });
    let (mut idle, _) = RawClient::join(&server);
    let mut rejected = RawClient::connect(&server);
    let goodbye = rejected.recv().goodbye.expect("a goodbye");
    assert_eq!(goodbye.reason, GoodbyeReason::ServerFull);
    assert!(
        goodbye.retry_after_ms.is_some_and(|ms| ms >= 5000),
        "{goodbye:?}"
    );

    assert_ended(
        &server,
        &mut idle,
        |_| {},
        (GoodbyeReason::TaskTimeout, 1000),
    );
    server.wait_until("the end of the session", |status| {
        status["volunteers"]["connected"] == 0
    });
    RawClient::join(&server);
    assert_eq!(server.status()["accepted"], 0);
}
