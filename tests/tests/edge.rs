//! Connections that hold on to what others need are closed, and nobody else notices.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use farsign::task::TaskId;
use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::host::Host;
use farsign_tests::raw::RawVolunteer;
use farsign_tests::waiting::{self, FAILURE_BOUND};
use socket2::{Domain, Socket, Type};

/// What is closed here is closed for what the settings say, and not because it was silent for too long.
fn host(settings: Settings) -> Host {
    const DAY: Option<u32> = Some(86_400_000);
    Host::start(settings.or(Settings {
        model: Some(ModelKind::Softmax),
        header_timeout_ms: DAY,
        idle_timeout_ms: DAY,
        ..Settings::default()
    }))
}

fn connect(host: &Host) -> TcpStream {
    let stream = TcpStream::connect(host.address()).expect("the server's system takes connections");
    stream.set_read_timeout(Some(FAILURE_BOUND)).expect("a socket has a timeout");
    stream
}

/// Asks on an open connection whether the server is well; whether an answer came.
fn is_served(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 12];
    let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n");
    if asked.and_then(|()| stream.read_exact(&mut answer)).is_err() {
        return false;
    }
    assert_eq!(answer, *b"HTTP/1.1 200");
    let mut rest = [0; 4096];
    let read = stream.read(&mut rest).expect("the rest of the answer comes");
    assert!(rest[..read].ends_with(b"ok"));
    true
}

/// Waits until the server has closed a connection, on which it says nothing more.
fn assert_closed(mut stream: TcpStream) {
    match stream.read(&mut [0; 1]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("expected a closed connection, found {other:?}"),
    }
}

/// Connects until it is served: a place may have to come free, and a short limit may be over on a busy machine.
fn connect_served(host: &Host) -> TcpStream {
    waiting::until_some("a connection that is served", || {
        let mut stream = connect(host);
        is_served(&mut stream).then_some(stream)
    })
}

#[test]
fn slow_headers_are_closed_while_kept_connections_and_sessions_stay() {
    let host = host(Settings { header_timeout_ms: Some(300), ..Settings::default() });
    let connected = || RawVolunteer::connect_with(&host, &[]).ok();
    let mut volunteer = waiting::until_some("a session within the limit", connected);
    volunteer.hello();
    let task = volunteer.hear().task.expect("a task after the hello");
    let mut kept = connect_served(&host);
    let silent = connect(&host);
    let mut slow = connect(&host);
    slow.write_all(b"GET / HTTP/1.1\r\nHost: te").unwrap();
    assert_closed(silent);
    assert_closed(slow);
    assert!(is_served(&mut kept), "a connection may rest between requests");
    volunteer.answer(task.id, &[0; 3]);
    assert!(volunteer.hear().rejected.is_some(), "the session goes on");
}

#[test]
fn a_request_whose_body_does_not_come_is_given_up() {
    let host = host(Settings { header_timeout_ms: Some(300), ..Settings::default() });
    let mut slow = connect(&host);
    let head = "POST /api/v1/leaderboard HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    slow.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).expect("the server gives up");
    assert_eq!(answer, *b"HTTP/1.1 408");
}

#[test]
fn a_connection_that_rests_too_long_is_closed() {
    let host = host(Settings { idle_timeout_ms: Some(200), ..Settings::default() });
    assert_closed(connect_served(&host));
}

#[test]
fn one_address_gets_so_many_connections_and_sessions_are_among_them() {
    let host = host(Settings { max_connections_per_address: Some(2), ..Settings::default() });
    let (volunteer, _) = RawVolunteer::join(&host);
    let mut page = connect(&host);
    assert!(is_served(&mut page));
    assert_closed(connect(&host));
    assert!(is_served(&mut page), "the others keep theirs");
    drop(volunteer);
    connect_served(&host);
}

#[test]
fn an_address_that_connects_too_often_is_turned_away_for_a_while() {
    let host = host(Settings { connections_per_minute: Some(6), ..Settings::default() });
    let mut connections: Vec<TcpStream> = (0..6).map(|_| connect(&host)).collect();
    assert!(connections.iter_mut().all(is_served));
    drop(connections); // it is not the number at a time that counts
    assert_closed(connect(&host));
    let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    other.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    other.connect(&host.address().into()).unwrap();
    other.set_read_timeout(Some(FAILURE_BOUND)).unwrap();
    assert!(is_served(&mut other.into()), "other addresses are not concerned");
}

#[test]
fn there_are_only_so_many_connections() {
    let host = host(Settings { max_connections: Some(1), ..Settings::default() });
    let mut first = connect(&host);
    assert!(is_served(&mut first));
    assert_closed(connect(&host));
    drop(first);
    connect_served(&host);
}

#[test]
fn a_client_that_does_not_read_what_it_asked_for_loses_its_connection() {
    let settings = Settings { max_connections: Some(1), write_timeout_ms: Some(200), ..Settings::default() };
    let host = host(settings);
    let mut greedy = connect(&host);
    // More than the sockets of both sides hold.
    let request = b"GET /api/v1/dataset/train-images-idx3-ubyte.gz HTTP/1.1\r\nHost: test\r\n\r\n";
    // The server may hang up in the middle.
    let _sent: Result<(), _> = (0..100).try_for_each(|_| greedy.write_all(request));
    connect_served(&host);
}

#[test]
fn a_volunteer_that_does_not_read_is_dropped_and_the_others_go_on() {
    let settings = Settings {
        model: Some(ModelKind::Mlp),
        rule: Some(RuleKind::Plain),
        write_timeout_ms: Some(300),
        ..Settings::default()
    };
    let host = Host::start(settings);
    let bits = [0; 101_770usize.div_ceil(8)];
    let (mut other, others_task) = RawVolunteer::join(&host);
    let (mut deaf, task) = RawVolunteer::join(&host);
    // For each comes a snapshot: more than the sockets of both sides hold. Nobody else asks for tasks meanwhile, so
    // their numbers are known.
    (task.id.0..task.id.0 + 60).for_each(|id| deaf.answer(TaskId(id), &bits));
    host.wait_until("the end of the session", |status| status["ended"]["slow_reader"] == 1);
    other.answer(others_task.id, &bits);
    assert!(other.hear().accepted.is_some());
}

#[test]
fn a_header_has_an_end() {
    let host = host(Settings::default());
    let mut endless = connect(&host);
    endless.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let line = format!("X-Filler: {}\r\n", "x".repeat(1000));
    // The server may hang up in the middle.
    let _sent: Result<(), _> = (0..100).try_for_each(|_| endless.write_all(line.as_bytes()));
    let mut answer = Vec::new();
    _ = endless.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    assert!(is_served(&mut connect(&host)));
}
