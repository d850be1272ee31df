//! The dashboard's event stream: its contents, pagination, and limits.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use farsign::task::{GoodbyeReason, Secret};
use farsign::wire::Hello;
use farsign_server::config::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::load_clients::LoadClients;
use farsign_tests::raw_client::RawClient;
use farsign_tests::test_server::TestServer;
use farsign_volunteer::Attack;
use serde_json::Value;

const TOKEN: &str = "the admin token of a test";

/// Maximum number of open event streams.
const MAX_SSE_STREAMS: usize = 8;

fn start_server(settings: Settings) -> TestServer {
    TestServer::start(settings.or(Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        admin_token: Some(TOKEN.into()),
        ..Settings::default()
    }))
}

/// An open event stream.
struct Dashboard(BufReader<Box<dyn Read + Send>>);

impl Dashboard {
    /// Opens a stream. The error is the status code.
    fn open(server: &TestServer, query: &str) -> Result<Self, u16> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let url = server.url(&format!("/api/v1/admin/dashboard?{query}"));
        let response = agent
            .get(url)
            .header("authorization", format!("Bearer {TOKEN}"))
            .call();
        let response = response.expect("a response");
        match response.status().as_u16() {
            200 => Ok(Self(BufReader::new(Box::new(
                response.into_body().into_reader(),
            )))),
            code => Err(code),
        }
    }

    /// Returns the next event, or `None` if the stream has ended.
    fn next(&mut self) -> Option<Value> {
        for line in self.0.by_ref().lines() {
            let line = line.ok()?;
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).expect("valid JSON"));
            }
        }
        None
    }

    /// Reads events until one meets a condition.
    fn wait_for(&mut self, what: &str, is_met: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..60 {
            let event = self.next().expect("an event");
            if is_met(&event) {
                return event;
            }
        }
        panic!("expected {what} within 60 events");
    }
}

fn ids(event: &Value) -> Vec<u64> {
    let rows = event["volunteers"]["rows"].as_array().expect("rows");
    rows.iter()
        .map(|row| row["id"].as_u64().expect("an id"))
        .collect()
}

#[test]
fn dashboard_lists_volunteers_and_ejections() {
    let server = start_server(Settings::default());
    let mut dashboard =
        Dashboard::open(&server, "sort=accepted&descending=true").expect("an open stream");
    let empty = dashboard.next().expect("an immediate event");
    assert_eq!(
        (&empty["volunteers"]["all"], &empty["ejected"]),
        (&0.into(), &0.into())
    );
    assert_eq!(empty["saved"], Value::Null);

    let mut idle = RawClient::connect(&server);
    idle.send_hello(&Hello {
        secret: Some(Secret([7; 16])),
        ..Hello::default()
    });
    assert!(idle.recv().task.is_some(), "the first volunteer joins");
    let started = Instant::now();
    let clients = LoadClients::join(server.address(), 3, Duration::from_millis(20));
    let event = dashboard.wait_for("updates of three clients", |event| {
        let rows = event["volunteers"]["rows"].as_array().expect("rows");
        rows.iter()
            .filter(|row| row["accepted"].as_u64() > Some(20))
            .count()
            == 3
    });
    assert!(clients.accepted() > 60);
    let rows = event["volunteers"]["rows"].as_array().expect("rows");
    let busy = &rows[0];
    let last = &rows[3];
    assert_eq!(
        (&last["id"], &last["accepted"]),
        (&1.into(), &0.into()),
        "{event:#}"
    );
    assert!(last["identity"].is_string() && busy["identity"].is_null());
    let min_rate =
        0.5 * busy["accepted"].as_f64().expect("a count") / started.elapsed().as_secs_f64();
    assert!(
        busy["accepted_per_s"].as_f64() > Some(min_rate),
        "expected above {min_rate}: {busy:#}"
    );
    assert_eq!(busy["agreement"], 1.0, "all load clients send equal bits");
    assert!(
        busy["staleness"]
            .as_f64()
            .is_some_and(|staleness| (0.0..=4.0).contains(&staleness)),
        "{busy:#}"
    );
    let total: f64 = rows
        .iter()
        .map(|row| row["weight_fraction"].as_f64().expect("a fraction"))
        .sum();
    assert!((total - 1.0).abs() < 1e-3, "fractions add up to {total}");
    assert!(last["idle_s"].as_f64() > busy["idle_s"].as_f64());

    let url = server.url("/api/v1/admin/volunteers/1");
    let response = ureq::delete(url)
        .header("authorization", format!("Bearer {TOKEN}"))
        .call();
    assert_eq!(response.expect("the volunteer exists").status(), 204);
    let event = dashboard.wait_for("an ejection", |event| event["ejected"] == 1);
    let ejection = &event["ejections"][0];
    let reason = GoodbyeReason::EjectedByOperator.name();
    assert_eq!(
        (&ejection["id"], &ejection["reason"]),
        (&1.into(), &reason.into())
    );
    assert_eq!(ejection["identity"], last["identity"]);
    assert_eq!(event["volunteers"]["all"], 3);
}

#[test]
fn failed_verification_is_listed_as_ejection() {
    let server = start_server(Settings {
        rule: Some(RuleKind::Verified),
        verify_probability: Some(1.0),
        ..Settings::default()
    });
    let mut dashboard = Dashboard::open(&server, "").expect("an open stream");
    server.train(&[(1, Attack::SignFlip)]);
    let event = dashboard.wait_for("an ejection", |event| event["ejected"] == 1);
    assert_eq!(
        event["ejections"][0]["reason"],
        GoodbyeReason::FailedVerification.name()
    );
    assert_eq!(event["bans"], 1);
}

#[test]
fn dashboard_paginates_volunteers() {
    let server = start_server(Settings::default());
    let _clients = LoadClients::join(server.address(), 30, Duration::from_millis(200));
    let mut dashboard =
        Dashboard::open(&server, "rows=10&from=20&sort=id").expect("an open stream");
    let event = dashboard.next().expect("an event");
    assert_eq!(ids(&event), (21..=30).collect::<Vec<u64>>());
    assert_eq!(event["volunteers"]["all"], 30);
    assert_eq!(Dashboard::open(&server, "sort=beauty").err(), Some(400));
}

#[test]
fn dashboard_streams_are_limited() {
    let server = start_server(Settings::default());
    let mut open: Vec<Dashboard> = (0..MAX_SSE_STREAMS)
        .map(|_| Dashboard::open(&server, "").expect("an open stream"))
        .collect();
    assert_eq!(Dashboard::open(&server, "").err(), Some(503));
    open.iter_mut()
        .for_each(|dashboard| assert!(dashboard.next().is_some()));
    drop(server);
    for dashboard in &mut open {
        while dashboard.next().is_some() {}
    }
}
