//! Connection limits and timeouts: slow, idle and excess connections are closed without affecting others.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use farsign::task::TaskId;
use farsign::wire::{ClientFrame, Hello};
use farsign_server::config::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::raw_client::RawClient;
use farsign_tests::test_server::TestServer;
use farsign_tests::wait::{self, TEST_TIMEOUT};
use socket2::{Domain, Socket, Type};

/// Starts a server whose other timeouts are too long to expire in a test.
fn start_server(settings: Settings) -> TestServer {
    const DAY: Option<u32> = Some(86_400_000);
    TestServer::start(settings.or(Settings {
        model: Some(ModelKind::Softmax),
        header_timeout_ms: DAY,
        idle_timeout_ms: DAY,
        ..Settings::default()
    }))
}

fn connect(server: &TestServer) -> TcpStream {
    let stream = TcpStream::connect(server.address()).expect("the system accepts connections");
    stream
        .set_read_timeout(Some(TEST_TIMEOUT))
        .expect("a read timeout");
    stream
}

/// Sends a request on an open connection, and returns whether a response came.
fn is_served(stream: &mut TcpStream) -> bool {
    let mut head = [0; 12];
    let sent = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n");
    if sent.and_then(|()| stream.read_exact(&mut head)).is_err() {
        return false;
    }
    assert_eq!(head, *b"HTTP/1.1 200");
    let mut rest = [0; 4096];
    let read = stream.read(&mut rest).expect("the rest of the response");
    assert!(rest[..read].ends_with(b"ok"));
    true
}

/// Waits until the server closes a connection, without another byte.
fn assert_closed(mut stream: TcpStream) {
    match stream.read(&mut [0; 1]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("expected a closed connection, found {other:?}"),
    }
}

/// Connects until a request succeeds.
///
/// A permit may be released late, and a short timeout may expire on a busy machine.
fn connect_served(server: &TestServer) -> TcpStream {
    wait::wait_for_some("a response", || {
        let mut stream = connect(server);
        is_served(&mut stream).then_some(stream)
    })
}

#[test]
fn header_timeout_closes_slow_requests_only() {
    let server = start_server(Settings {
        header_timeout_ms: Some(300),
        ..Settings::default()
    });
    let connect_client = || RawClient::connect_with(&server, &[]).ok();
    let mut volunteer = wait::wait_for_some("a session within the timeout", connect_client);
    volunteer.send_hello(&Hello::default());
    let task = volunteer.recv().task.expect("a task");
    let mut kept_alive = connect_served(&server);
    let silent = connect(&server);
    let mut slow = connect(&server);
    slow.write_all(b"GET / HTTP/1.1\r\nHost: te").unwrap();
    assert_closed(silent);
    assert_closed(slow);
    assert!(
        is_served(&mut kept_alive),
        "the timeout is for the first request only"
    );
    volunteer.send_update(task.id, &[0; 3]);
    assert!(volunteer.recv().rejected.is_some(), "the session continues");
}

#[test]
fn slow_body_returns_408() {
    let server = start_server(Settings {
        header_timeout_ms: Some(300),
        ..Settings::default()
    });
    let mut slow = connect(&server);
    let head = "POST /api/v1/leaderboard HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    slow.write_all(head.as_bytes()).unwrap();
    let mut head = [0; 12];
    slow.read_exact(&mut head).expect("a response");
    assert_eq!(head, *b"HTTP/1.1 408");
}

#[test]
fn idle_timeout_closes_connection() {
    let server = start_server(Settings {
        idle_timeout_ms: Some(200),
        ..Settings::default()
    });
    assert_closed(connect_served(&server));
}

#[test]
fn connection_limit_per_address_counts_sessions() {
    let server = start_server(Settings {
        max_connections_per_address: Some(2),
        ..Settings::default()
    });
    let (volunteer, _) = RawClient::join(&server);
    let mut page = connect(&server);
    assert!(is_served(&mut page));
    assert_closed(connect(&server));
    assert!(is_served(&mut page), "open connections stay open");
    drop(volunteer);
    connect_served(&server);
}

#[test]
fn connection_rate_limit_per_address() {
    let server = start_server(Settings {
        connections_per_minute: Some(6),
        ..Settings::default()
    });
    let mut connections: Vec<TcpStream> = (0..6).map(|_| connect(&server)).collect();
    assert!(connections.iter_mut().all(is_served));
    drop(connections); // the rate is limited, not the number of open connections
    assert_closed(connect(&server));
    let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    other
        .bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into())
        .unwrap();
    other.connect(&server.address().into()).unwrap();
    other.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    assert!(
        is_served(&mut other.into()),
        "other addresses are not limited"
    );
}

#[test]
fn total_connection_limit() {
    let server = start_server(Settings {
        max_connections: Some(1),
        ..Settings::default()
    });
    let mut first = connect(&server);
    assert!(is_served(&mut first));
    assert_closed(connect(&server));
    drop(first);
    connect_served(&server);
}

#[test]
fn slow_http_reader_is_disconnected() {
    let settings = Settings {
        max_connections: Some(1),
        write_timeout_ms: Some(200),
        ..Settings::default()
    };
    let server = start_server(settings);
    let mut greedy = connect(&server);
    // Responses larger than the socket buffers of both sides.
    let shard = &server.shard_paths()[0];
    let request = format!("GET {shard} HTTP/1.1\r\nHost: test\r\n\r\n");
    // The server may close the connection while the client writes.
    let _sent: Result<(), _> = (0..100).try_for_each(|_| greedy.write_all(request.as_bytes()));
    connect_served(&server);
}

#[test]
fn slow_volunteer_does_not_block_others() {
    let settings = Settings {
        model: Some(ModelKind::Mlp),
        rule: Some(RuleKind::Plain),
        write_timeout_ms: Some(300),
        ..Settings::default()
    };
    let server = TestServer::start(settings);
    let bits = [0; 101_770usize.div_ceil(8)];
    let (mut other, other_task) = RawClient::join(&server);
    let (mut slow, task) = RawClient::join(&server);
    // The server responds to each request with a whole version, together larger than the socket buffers of both sides.
    // No other client requests tasks in between, so their numbers are consecutive.
    let mut request = Vec::new();
    for id in (task.id.0..).step_by(2).take(100) {
        slow.send_update(TaskId(id), &bits);
        ClientFrame::version_request(TaskId(id + 1), &mut request);
        slow.send_frame(request.clone());
    }
    server.wait_until("the end of the session", |status| {
        status["sessions_ended"]["slow_reader"] == 1
    });
    other.send_update(other_task.id, &bits);
    assert!(other.recv().accepted.is_some());
}

#[test]
fn oversized_header_is_rejected() {
    let server = start_server(Settings::default());
    let mut endless = connect(&server);
    endless.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let line = format!("X-Filler: {}\r\n", "x".repeat(1000));
    // The server may close the connection while the client writes.
    let _sent: Result<(), _> = (0..100).try_for_each(|_| endless.write_all(line.as_bytes()));
    let mut response = Vec::new();
    _ = endless.read_to_end(&mut response);
    let text = String::from_utf8_lossy(&response);
    assert!(
        text.is_empty() || text.starts_with("HTTP/1.1 431"),
        "{text}"
    );
    assert!(is_served(&mut connect(&server)));
}
