//! Admission: origins, tokens, limits per address, and trust across sessions.

use std::sync::Arc;
use std::time::Duration;

use farsign::task::{Goodbye, GoodbyeReason, Secret};
use farsign::wire::Hello;
use farsign_server::config::settings::{ModelKind, RuleKind, Settings};
use farsign_server::gateway::VolunteerSummary;
use farsign_tests::raw_client::RawClient;
use farsign_tests::test_server::TestServer;
use farsign_tests::wait;
use farsign_volunteer::{Attack, FleetOptions, FleetStats, WorkerExit, run_fleet};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite;

const PROXY: &str = "127.0.0.1";

fn start_server(settings: Settings) -> TestServer {
    TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        ..settings
    })
}

/// Connects through a proxy that forwards this address.
fn behind_proxy(server: &TestServer, address: &str) -> RawClient {
    RawClient::connect_with(server, &[("x-forwarded-for", address)]).expect("a WebSocket")
}

fn hello_with_secret(secret: u8) -> Hello<'static> {
    Hello {
        secret: Some(Secret([secret; 16])),
        ..Hello::default()
    }
}

fn goodbye(mut volunteer: RawClient) -> Goodbye {
    let received = volunteer.recv();
    received
        .goodbye
        .unwrap_or_else(|| panic!("expected a goodbye, found {received:?}"))
}

/// Sends a hello, and asserts that the server sends a task.
fn assert_joins(mut volunteer: RawClient) -> RawClient {
    volunteer.send_hello(&Hello::default());
    let received = volunteer.recv();
    assert!(
        received.task.is_some(),
        "expected a task, found {received:?}"
    );
    volunteer
}

fn list_volunteers(server: &TestServer) -> Vec<VolunteerSummary> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime
        .block_on(server.state().gateway.list())
        .expect("the server runs")
        .volunteers
}

#[test]
fn foreign_origins_are_rejected() {
    let server = start_server(Settings {
        allow_origin: Some("https://friend.example".into()),
        ..Settings::default()
    });
    let connect = |origin: &str| RawClient::connect_with(&server, &[("origin", origin)]);
    for origin in [server.url("").as_str(), "https://friend.example"] {
        assert_joins(connect(origin).unwrap_or_else(|error| panic!("{origin}: {error}")));
    }
    for origin in ["https://stranger.example", "null"] {
        match connect(origin) {
            Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 403),
            other => panic!("{origin}: expected a rejection, found {other:?}"),
        }
    }
}

#[test]
fn join_requires_token() {
    let settings = Settings {
        join_token: Some("sesame".into()),
        horizon: Some(20.0),
        ..Settings::default()
    };
    let server = start_server(settings);
    assert_eq!(server.status()["run"]["token_required"], true);
    for token in [None, Some("Sesame"), Some("sesame2")] {
        let mut volunteer = RawClient::connect(&server);
        volunteer.send_hello(&Hello {
            token,
            ..Hello::default()
        });
        let never = Goodbye {
            reason: GoodbyeReason::InvalidToken,
            retry_after_ms: None,
        };
        assert_eq!(volunteer.recv().goodbye, Some(never));
        assert_eq!(volunteer.recv_close(), 1008);
    }
    let invited = FleetOptions {
        token: Some("sesame".into()),
        ..server.fleet(1)
    };
    assert_eq!(server.train_with(&[invited]), [WorkerExit::Finished]);
}

#[test]
fn join_rate_limit_is_per_address() {
    let settings = Settings {
        joins_per_minute: Some(2),
        trusted_proxy: Some(PROXY.into()),
        ..Settings::default()
    };
    let server = start_server(settings);
    let _joined = [1, 2].map(|_| assert_joins(behind_proxy(&server, "203.0.113.1")));
    let rejected = goodbye(behind_proxy(&server, "203.0.113.1"));
    assert_eq!(rejected.reason, GoodbyeReason::TooManyJoins);
    assert!(
        rejected
            .retry_after_ms
            .is_some_and(|ms| (5_000..120_000).contains(&ms)),
        "{rejected:?}"
    );
    let rejected = goodbye(behind_proxy(&server, "203.0.113.9, 203.0.113.1"));
    assert_eq!(
        rejected.reason,
        GoodbyeReason::TooManyJoins,
        "only the last hop counts"
    );
    assert_joins(behind_proxy(&server, "203.0.113.2"));
}

#[test]
fn untrusted_forwarded_address_is_ignored() {
    let server = start_server(Settings {
        joins_per_minute: Some(1),
        ..Settings::default()
    });
    assert_joins(behind_proxy(&server, "203.0.113.1"));
    assert_eq!(
        goodbye(behind_proxy(&server, "203.0.113.2")).reason,
        GoodbyeReason::TooManyJoins
    );
}

#[test]
fn session_limit_is_per_address() {
    let settings = Settings {
        max_volunteers_per_address: Some(1),
        max_connections_per_address: Some(1), // not applied to the proxy
        trusted_proxy: Some(PROXY.into()),
        ..Settings::default()
    };
    let server = start_server(settings);
    let first = assert_joins(behind_proxy(&server, "2001:db8::1"));
    let rejected = goodbye(behind_proxy(&server, "2001:db8::2"));
    assert_eq!(rejected.reason, GoodbyeReason::AddressFull);
    assert!(
        rejected.retry_after_ms.is_some_and(|ms| ms >= 5000),
        "{rejected:?}"
    );
    let _other = assert_joins(behind_proxy(&server, "2001:db8:0:1::1"));
    drop(first);
    server.wait_until("the end of the session", |status| {
        status["volunteers"]["connected"] == 1
    });
    assert_joins(behind_proxy(&server, "2001:db8::2"));
}

#[test]
fn join_storm_gets_spread_retries() {
    let server = start_server(Settings {
        max_volunteers: Some(1),
        ..Settings::default()
    });
    let _joined = assert_joins(RawClient::connect(&server));
    let rejected: Vec<_> = (0..200).map(|_| RawClient::connect(&server)).collect();
    let goodbyes: Vec<_> = rejected.into_iter().map(goodbye).collect();
    assert!(
        goodbyes
            .iter()
            .all(|goodbye| goodbye.reason == GoodbyeReason::ServerFull)
    );
    let delays: Vec<u32> = goodbyes
        .iter()
        .filter_map(|goodbye| goodbye.retry_after_ms)
        .collect();
    assert_eq!(delays.len(), 200);
    // At 100 retries per second, the last delay is at least one second longer than the first.
    assert!(
        delays.iter().all(|ms| (5_000..15_000).contains(ms)),
        "{delays:?}"
    );
    let busiest = (5..15)
        .map(|s| delays.iter().filter(|ms| **ms / 1000 == s).count())
        .max();
    assert!(busiest < Some(120), "{delays:?}");
}

#[test]
fn second_session_replaces_first() {
    let server = start_server(Settings {
        rule: Some(RuleKind::Plain),
        ..Settings::default()
    });
    let join = |secret| {
        let mut volunteer = RawClient::connect(&server);
        volunteer.send_hello(&hello_with_secret(secret));
        let task = volunteer.recv().task.expect("a task");
        (volunteer, task)
    };
    let (mut older, _) = join(1);
    let (mut other, other_task) = join(2);
    let (mut newer, task) = join(1);
    let never = Goodbye {
        reason: GoodbyeReason::SessionReplaced,
        retry_after_ms: None,
    };
    assert_eq!(
        older.recv().goodbye,
        Some(never),
        "a retry would replace the newer session"
    );
    assert_eq!(older.recv_close(), 1008);
    let mut bits = vec![0xaa; 982];
    bits[981] = 0b10;
    for (volunteer, task) in [(&mut newer, task), (&mut other, other_task)] {
        volunteer.send_update(task.id, &bits);
        assert!(volunteer.recv().accepted.is_some());
    }
    server.wait_until("two sessions", |status| {
        status["volunteers"]["connected"] == 2
    });
    assert_eq!(list_volunteers(&server).len(), 2);
}

/// Runs a fleet while `body` runs.
fn with_fleet<T>(fleet: FleetOptions, body: impl FnOnce() -> T) -> T {
    let (stop, stopping) = watch::channel(false);
    let work = std::thread::spawn(move || {
        run_fleet(
            &fleet,
            &Arc::new(FleetStats::default()),
            &stopping,
            |_, _| {},
        )
    });
    let result = body();
    stop.send_replace(true);
    work.join().expect("no panic").expect("a fleet");
    result
}

#[test]
fn trust_survives_reconnect() {
    let settings = Settings {
        verify_probability: Some(1.0),
        verify_cpu_fraction: Some(1.0),
        ..Settings::default()
    };
    let server = start_server(Settings {
        horizon: Some(1e6),
        ..settings
    });
    let fleet = FleetOptions {
        secret: Some(Secret([7; 16])),
        ..server.fleet(1)
    };
    with_fleet(fleet.clone(), || {
        server.wait_until("passed verifications", |status| {
            status["verification"]["passed"].as_u64() >= Some(6)
        });
    });
    server.wait_until("the end of the session", |status| {
        status["volunteers"]["connected"] == 0
    });

    let idle = |secret| FleetOptions {
        secret,
        delay: Duration::from_secs(20), // rests within its session
        ..fleet.clone()
    };
    let first_listed = || wait::wait_for_some("a volunteer", || list_volunteers(&server).pop());
    let again = with_fleet(idle(Some(Secret([7; 16]))), first_listed);
    assert!(
        again.verifications_passed >= 6 && again.accepted >= 6,
        "{again:?}"
    );
    assert_eq!(again.trust, 1.0);
    server.wait_until("the end of the session", |status| {
        status["volunteers"]["connected"] == 0
    });
    let new = with_fleet(idle(None), first_listed);
    // It rests after its first update.
    assert!(
        new.verifications_passed <= 1 && new.accepted <= 1,
        "a new volunteer has no trust: {new:?}"
    );
}

#[test]
fn ejected_identity_cannot_rejoin() {
    let server = start_server(Settings {
        verify_probability: Some(1.0),
        ..Settings::default()
    });
    let secret = Some(Secret([9; 16]));
    let attacker = FleetOptions {
        attack: Attack::SignFlip,
        secret,
        ..server.fleet(1)
    };
    let honest = FleetOptions {
        secret,
        ..server.fleet(1)
    };
    let ejected = |reason| [WorkerExit::Ejected(reason)];
    assert_eq!(
        server.train_with(&[attacker]),
        ejected(GoodbyeReason::FailedVerification)
    );
    assert_eq!(
        server.train_with(&[honest]),
        ejected(GoodbyeReason::Banned),
        "honest updates do not lift the ban"
    );
    assert_joins(RawClient::connect(&server));
}
