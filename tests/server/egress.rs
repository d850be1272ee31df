//! The operator's limits on the bytes that the server sends.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use farsign::sign::SignBits;
use farsign::task::GoodbyeReason;
use farsign_server::config::settings::{ModelKind, RuleKind, ScheduleKind, Settings};
use farsign_server::net::client_addr::ClientAddr;
use farsign_tests::raw_client::RawClient;
use farsign_tests::test_server::TestServer;

const LIMIT: u64 = 100_000;

/// Starts a server of a run without an end, whose updates need no verification.
fn start_server(settings: Settings) -> TestServer {
    TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        schedule: Some(ScheduleKind::Constant),
        ..settings
    })
}

/// Sends updates, and returns how many were accepted and the bytes of all received frames.
fn send_updates(volunteer: &mut RawClient, first: farsign::task::Task, count: usize) -> usize {
    let mut signs = SignBits::default();
    let zeros = vec![0.0; 7850];
    let mut tasks = VecDeque::from([first]);
    let mut accepted = 0;
    for _ in 0..count {
        let task = tasks.pop_front().expect("a task");
        signs.copy_from(&zeros, task.coin_seed); // coins, so that versions differ as of honest updates
        volunteer.send_update(task.id, signs.as_bytes());
        // A wait for the limit looks like a long line, after which two tasks may be open.
        let mut is_accepted = false;
        while tasks.is_empty() || !is_accepted {
            let received = volunteer.recv();
            assert_eq!((received.rejected, received.goodbye), (None, None));
            is_accepted |= received.accepted.is_some();
            tasks.extend(received.tasks());
        }
        accepted += usize::from(is_accepted);
    }
    accepted
}

#[test]
fn tasks_keep_to_egress_limit() {
    let server = start_server(Settings {
        max_egress_bytes_per_second: Some(LIMIT),
        ..Settings::default()
    });
    let started = Instant::now();
    let sent_before = server.state().admission.egress().sent_bytes();
    let mut volunteers = [(); 2].map(|()| RawClient::join(&server));
    let accepted: usize = std::thread::scope(|scope| {
        let threads = volunteers
            .each_mut()
            .map(|(volunteer, task)| scope.spawn(|| send_updates(volunteer, *task, 200)));
        threads
            .map(|thread| thread.join().expect("no panic"))
            .iter()
            .sum()
    });
    assert_eq!(accepted, 400, "every update is applied");
    let elapsed = started.elapsed();
    let egress = server.state().admission.egress();
    let sent = egress.sent_bytes() - sent_before;
    let burst = Duration::from_millis(250); // and a chunk of each connection
    let permitted = LIMIT as f64 * (elapsed + burst).as_secs_f64() + 4.0 * 16_384.0;
    assert!(sent as f64 <= permitted, "{sent} bytes in {elapsed:?}");
    assert!(sent > 3 * LIMIT, "{sent} bytes: the limit was not tested");
    assert!(egress.delayed_tasks() > 20, "{}", egress.delayed_tasks());
    let status = server.status();
    assert_eq!(status["egress"]["max_bytes_per_s"], LIMIT);
    assert_eq!(status["sessions_ended"]["task_timeout"], 0);
    assert_eq!(status["sessions_ended"]["slow_reader"], 0);
}

#[test]
fn joins_wait_for_egress_limit() {
    let server = start_server(Settings {
        max_egress_bytes_per_second: Some(LIMIT),
        max_egress_bytes_per_second_per_address: Some(LIMIT / 2),
        ..Settings::default()
    });
    let admission = &server.state().admission;
    let client = |text: &str| ClientAddr::from(text.parse::<IpAddr>().expect("an address"));
    let busy = client("203.0.113.1");
    let other = client("203.0.113.2");
    let now = Instant::now();
    let task = admission.egress().connection(Some(busy));
    task.reserve_task(LIMIT, now); // takes its address two seconds
    let rejection = admission.admit(busy, now).expect_err("the address is full");
    assert_eq!(rejection.reason, GoodbyeReason::AddressFull);
    assert!(rejection.retry_after_ms.is_some());
    drop(admission.admit(other, now).expect("another address joins"));

    let tasks = admission.egress().connection(None);
    tasks.reserve_task(2 * LIMIT, now);
    let rejection = admission.admit(other, now).expect_err("the server is full");
    assert_eq!(rejection.reason, GoodbyeReason::ServerFull);
    assert!(rejection.retry_after_ms.is_some());
    let later = now + Duration::from_secs(4);
    drop(admission.admit(other, later).expect("the queue is empty"));
}

#[test]
fn downloads_keep_to_egress_limit() {
    let server = start_server(Settings {
        max_egress_bytes_per_second: Some(1_000_000),
        ..Settings::default()
    });
    let started = Instant::now();
    let paths = server.shard_paths();
    let bytes: usize = paths.iter().map(|path| server.get(path).len()).sum();
    let seconds = started.elapsed().as_secs_f64();
    let least = bytes as f64 / 1e6 - 0.3;
    assert!(seconds >= least, "{bytes} bytes in {seconds} s");
    let egress = server.status()["egress"]["bytes"].as_u64();
    assert!(egress > Some(bytes as u64), "{egress:?}");
}

#[test]
fn small_egress_limits_are_rejected() {
    let settings = Settings {
        max_egress_bytes_per_second: Some(0),
        max_egress_bytes_per_second_per_address: Some(9_999),
        ..Settings::default()
    };
    let data = farsign_server::data::loader::built_in().expect("the built-in data");
    let errors = farsign_server::Config::new(&settings, &data, 0).expect_err("two errors");
    let text = errors.to_string();
    for part in [
        "max-egress-bytes-per-second: expected 10000 to",
        "found 0",
        "max-egress-bytes-per-second-per-address: expected 10000 to",
        "found 9999",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}
