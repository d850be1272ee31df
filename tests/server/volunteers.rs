//! Native volunteers on slow machines, and before, between and after servers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use farsign::dataset::{Dataset, hexadecimal};
use farsign::task::{GoodbyeReason, Secret};
use farsign::wire::Hello;
use farsign_server::config::settings::{ModelKind, RuleKind, ScheduleKind, Settings};
use farsign_server::data::loader;
use farsign_tests::dataset_folder::write_dataset;
use farsign_tests::hostile_cache::{HostileCache, HostileCacheOptions};
use farsign_tests::raw_client::RawClient;
use farsign_tests::test_server::TestServer;
use farsign_tests::wait;
use farsign_volunteer::{FleetError, FleetOptions, FleetStats, WorkerEvent, WorkerExit, run_fleet};
use tokio::sync::watch;

/// A run without an end, on a server that asks for short retries.
fn endless() -> Settings {
    Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        schedule: Some(ScheduleKind::Constant),
        retry_after_ms: Some(100),
        ..Settings::default()
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

/// A fleet that runs until it is stopped.
struct Fleet {
    stats: Arc<FleetStats>,
    events: mpsc::Receiver<WorkerEvent>,
    stop: watch::Sender<bool>,
    thread: std::thread::JoinHandle<Result<Vec<WorkerExit>, FleetError>>,
}

impl Fleet {
    fn start(options: FleetOptions) -> Self {
        let stats = Arc::new(FleetStats::default());
        let (stop, stopping) = watch::channel(false);
        let (sender, events) = mpsc::channel();
        let shared = Arc::clone(&stats);
        let thread = std::thread::spawn(move || {
            let report = move |_, event| _ = sender.send(event);
            run_fleet(&options, &shared, &stopping, report)
        });
        Self {
            stats,
            events,
            stop,
            thread,
        }
    }

    fn at(address: SocketAddr) -> Self {
        let url = format!("http://{address}").parse().expect("a server URL");
        Self::start(FleetOptions::new(url, 2))
    }

    /// Waits until more updates are accepted.
    fn wait_for_updates(&self, count: u64) {
        let target = self.stats.accepted() + count;
        wait::wait_for_some("accepted updates", || {
            (self.stats.accepted() >= target).then_some(())
        });
    }

    /// Waits for a delay, and returns it in ms with its cause.
    fn wait_for_delay(&self, is_expected: impl Fn(u32, &str) -> bool) -> (u32, String) {
        loop {
            let event = self.events.recv_timeout(wait::TEST_TIMEOUT);
            if let WorkerEvent::Waiting { delay_ms, cause } = event.expect("an event")
                && is_expected(delay_ms, &cause)
            {
                return (delay_ms, cause);
            }
        }
    }

    fn stop(self) -> Vec<WorkerExit> {
        self.stop.send_replace(true);
        let ended = self.thread.join().expect("no panic");
        ended.expect("a fleet")
    }
}

/// Responds to one request with this status, and returns the address.
fn respond_once(status: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        _ = client.read(&mut [0; 1024]);
        let response =
            format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        client.write_all(response.as_bytes()).expect("a write");
    });
    address
}

#[test]
fn fleet_waits_for_its_server() {
    let address = free_address();
    let fleet = Fleet::at(address);
    fleet.wait_for_delay(|_, cause| cause.contains("is the server running?"));
    let _server = TestServer::start(Settings {
        listen: Some((address.ip(), address.port()).into()),
        ..endless()
    });
    fleet.wait_for_updates(10);
    assert_eq!(fleet.stop(), vec![WorkerExit::Stopped; 2]);
}

#[test]
fn bad_gateway_is_retried() {
    let address = respond_once("502 Bad Gateway");
    let fleet = Fleet::at(address);
    fleet.wait_for_delay(|_, cause| cause.contains("502"));
    let _server = TestServer::start(Settings {
        listen: Some((address.ip(), address.port()).into()),
        ..endless()
    });
    fleet.wait_for_updates(10);
    fleet.stop();
}

#[test]
fn missing_data_ends_a_fleet() {
    let fleet = Fleet::at(respond_once("404 Not Found"));
    let ended = fleet.thread.join().expect("no panic");
    let error = ended.expect_err("a server without data").to_string();
    assert!(error.contains("404"), "{error}");
}

#[test]
fn stop_ends_wait_for_server() {
    let fleet = Fleet::at(free_address());
    fleet.wait_for_delay(|_, _| true);
    assert_eq!(fleet.stop(), vec![WorkerExit::Stopped; 2]);
}

#[test]
fn fleet_loads_other_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let digits = loader::built_in().expect("the built-in digits");
    let part = |data: &Dataset| data.select((0..data.len()).step_by(2));
    let train = part(&digits.train);
    let held_out = part(&digits.held_out);
    write_dataset(folder.path(), &train, &held_out).expect("a write");

    let server = TestServer::start(endless());
    let address = server.address();
    let fleet = Fleet::at(address);
    fleet.wait_for_updates(10);
    drop(server);
    let server = TestServer::start(Settings {
        listen: Some((address.ip(), address.port()).into()),
        data: Some(folder.path().to_owned()),
        ..endless()
    });
    server.wait_until("updates on the other data", |status| {
        status["accepted"].as_u64() >= Some(10)
    });
    assert_eq!(fleet.stop(), vec![WorkerExit::Stopped; 2]);
}

/// Starts a cache that returns one shard of the size of the first for all others.
fn hostile_cache(server: &TestServer, is_bypassable: bool) -> HostileCache {
    let entries = server.state().data.shards.data().list().entries();
    let mut others = entries[1..].iter();
    let other = others.find(|entry| entry.images == entries[0].images);
    let options = HostileCacheOptions {
        shard: hexadecimal(other.expect("a shard of this size").digest),
        is_bypassable,
    };
    HostileCache::to(server.address(), options).expect("a free port")
}

#[test]
fn changed_shard_is_downloaded_again() {
    let server = TestServer::start(endless());
    let cache = hostile_cache(&server, true);
    let fleet = Fleet::at(cache.address());
    let (_, cause) = fleet.wait_for_delay(|_, _| true);
    assert!(
        cause.contains("shard 0: expected content with the digest"),
        "{cause}"
    );
    fleet.wait_for_updates(10);
    let shards = server.state().data.shards.data().list().shards();
    wait::wait_for_some("all shards", || {
        let [held, all] = [&fleet.stats.held_shards, &fleet.stats.shards]
            .map(|count| count.load(std::sync::atomic::Ordering::Relaxed));
        assert_eq!(all, shards);
        (held == all).then_some(())
    });
    assert_eq!(cache.requests(), shards + 1);
    assert_eq!(fleet.stop(), vec![WorkerExit::Stopped; 2]);
}

#[test]
fn false_shards_end_fleet() {
    let server = TestServer::start(endless());
    let cache = hostile_cache(&server, false);
    let fleet = Fleet::at(cache.address());
    let stats = Arc::clone(&fleet.stats);
    let ended = fleet.thread.join().expect("no panic");
    let error = ended.expect_err("false data").to_string();
    assert!(
        error.contains("shard 0: expected content with the digest"),
        "{error}"
    );
    assert_eq!(
        stats.held_shards.load(std::sync::atomic::Ordering::Relaxed),
        0
    );
    assert_eq!(server.status()["accepted"], 0);
}

#[test]
fn long_delay_expires_no_task() {
    let server = TestServer::start(Settings {
        task_timeout_ms: Some(1000),
        ..endless()
    });
    let fleet = Fleet::start(FleetOptions {
        delay: Duration::from_millis(1500),
        ..server.fleet(2)
    });
    fleet.wait_for_updates(6);
    assert_eq!(server.status()["sessions_ended"]["task_timeout"], 0);
    let rested = fleet
        .events
        .try_iter()
        .any(|e| matches!(e, WorkerEvent::Resting(_)));
    assert!(rested, "the workers rest without a task");
    fleet.stop();
}

#[test]
fn slow_fleet_is_reported() {
    let server = TestServer::start(Settings {
        model: Some(ModelKind::Mlp),
        hidden: Some(1024),
        batch: Some(4096),
        task_timeout_ms: Some(100),
        ..endless()
    });
    let fleet = Fleet::start(server.fleet(1));
    let (delay_ms, cause) = fleet.wait_for_delay(|_, cause| cause.contains("too slow"));
    assert!(delay_ms >= 60_000, "{delay_ms}");
    for part in ["3 tasks", "0.1 s", "--task-timeout-ms", "--batch"] {
        assert!(cause.contains(part), "{part}: {cause}");
    }
    assert_eq!(fleet.stop(), [WorkerExit::Stopped]);
}

#[test]
fn repeated_timeouts_grow_retry_delay() {
    let server = TestServer::start(Settings {
        task_timeout_ms: Some(400),
        ..endless()
    });
    let delay_after_timeout = |secret: u8, updates: u32| {
        let mut volunteer = RawClient::connect(&server);
        volunteer.send_hello(&Hello {
            secret: Some(Secret([secret; 16])),
            ..Hello::default()
        });
        let mut received = volunteer.recv();
        let settings = received.welcome.take().expect("a welcome").settings;
        let bits = vec![0; settings.directions.count().div_ceil(8)];
        for _ in 0..updates {
            volunteer.send_update(received.task.expect("a task").id, &bits);
            received = volunteer.recv();
            assert!(received.accepted.is_some(), "{received:?}");
        }
        let goodbye = volunteer.recv().goodbye.expect("a goodbye");
        assert_eq!(goodbye.reason, GoodbyeReason::TaskTimeout);
        goodbye.retry_after_ms.expect("a retry delay")
    };
    let delays = [0; 5].map(|updates| delay_after_timeout(1, updates));
    assert_eq!(delays, [100, 100, 200, 400, 800]);
    assert_eq!(delay_after_timeout(2, 0), 100, "another volunteer");
    assert_eq!(delay_after_timeout(1, 1), 100, "after an accepted update");
}

#[test]
fn line_budget_rests_fleet() {
    const BUDGET: u64 = 4_000_000;
    let server = TestServer::start(Settings {
        model: Some(ModelKind::Mlp),
        ..endless()
    });
    let fleet = Fleet::start(FleetOptions {
        max_bytes_per_hour: Some(BUDGET),
        ..server.fleet(2)
    });
    let mut resting = 0;
    while resting < 2 {
        match fleet.events.recv_timeout(wait::TEST_TIMEOUT) {
            Ok(WorkerEvent::LineBudgetUsed(rest)) => {
                assert!(rest > Duration::from_mins(50), "{rest:?}");
                resting += 1;
            }
            Ok(_) => {}
            Err(error) => panic!("the fleet does not rest: {error}"),
        }
    }
    server.wait_until("the end of both sessions", |status| {
        status["volunteers"]["connected"] == 0
    });
    let status = server.status();
    let accepted = fleet.stats.accepted();
    let line = &fleet.stats.line;
    assert!(accepted > 10, "{accepted} updates");
    assert_eq!(status["accepted"], accepted, "no update is lost");
    assert_eq!(status["sessions_ended"]["task_timeout"], 0);
    let frames = &status["traffic"];
    let of_frames = frames["sent_bytes"]
        .as_u64()
        .zip(frames["received_bytes"].as_u64());
    let (sent, received) = of_frames.expect("two counts");
    let data = status["data"]["download_bytes"].as_u64().expect("a size");
    let [held, all] = [&fleet.stats.held_shards, &fleet.stats.shards]
        .map(|count| count.load(std::sync::atomic::Ordering::Relaxed) as u64);
    let downloaded = data * held / all * 9 / 10; // shards differ a little in size
    assert!(line.total_bytes() >= sent + received + downloaded);
    let longest_frames = 2 * 4 * 101_770;
    assert!(line.total_bytes() <= BUDGET + longest_frames, "{line:?}");
    assert!(line.total_bytes() > BUDGET / 2, "{line:?}");
    assert_eq!(fleet.stop(), [const { WorkerExit::Stopped }; 2]);
}
