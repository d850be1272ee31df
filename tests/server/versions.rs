//! Versions over HTTP: what a relay downloads, keeps and passes on.

use std::collections::VecDeque;

use farsign::sign::SignBits;
use farsign::task::Task;
use farsign::version::{Version, VersionHash};
use farsign::wire::{Hello, ServerFrame, ServerRecord, read_server_frame};
use farsign_server::config::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::raw_client::{RawClient, whole_version};
use farsign_tests::test_server::TestServer;
use farsign_volunteer::Attack;
use ureq::Body;
use ureq::http::{HeaderMap, Response};

/// Versions that a server keeps, the newest included.
const MAX_HELD: u64 = 65;

fn settings() -> Settings {
    Settings {
        model: Some(ModelKind::Softmax),
        rule: Some(RuleKind::Plain),
        ..Settings::default()
    }
}

/// The only volunteer of a server, whose updates make it publish versions.
struct Publisher<'a> {
    server: &'a TestServer,
    client: RawClient,
    /// Open tasks in order. A client whose machine is busy looks far away, and may have two.
    tasks: VecDeque<Task>,
    sign_count: usize,
    updates: u64,
}

impl<'a> Publisher<'a> {
    fn join(server: &'a TestServer) -> Self {
        let mut client = RawClient::connect(server);
        client.send_hello(&Hello::default());
        let received = client.recv();
        let welcome = received.welcome.as_ref().expect("a welcome");
        Self {
            server,
            client,
            sign_count: welcome.settings.directions.count(),
            tasks: received.tasks().collect(),
            updates: 0,
        }
    }

    /// Sends updates of pseudo-random signs until a version is published, and returns its hash.
    fn publish(&mut self) -> VersionHash {
        let before = newest(self.server);
        while newest(self.server) == before {
            self.updates += 1;
            let mut signs = SignBits::default();
            signs.copy_from(&vec![0.0; self.sign_count], self.updates); // zeros become pseudo-random signs
            let task = self.tasks.pop_front().expect("a task");
            self.client.send_update(task.id, signs.as_bytes());
            let received = self.client.recv();
            assert!(received.accepted.is_some(), "{received:?}");
            self.tasks.extend(received.tasks());
        }
        newest(self.server)
    }
}

fn newest(server: &TestServer) -> VersionHash {
    server.state().gateway.snapshot().version.hash()
}

/// Returns the path of a version, as a relay makes it from the status.
fn path(server: &TestServer, version: &str) -> String {
    let status = server.status();
    let run = status["run"]["id"].as_str().expect("a run id");
    format!("/api/v1/runs/{run}/versions/{version}")
}

fn whole_path(server: &TestServer, version: VersionHash) -> String {
    path(server, &version.to_string())
}

fn differences_path(server: &TestServer, version: VersionHash, base: VersionHash) -> String {
    path(server, &format!("{version}/from/{base}"))
}

/// Requests a path with headers, and returns the response whatever its status.
fn request(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let request = ureq::get(server.url(path))
        .config()
        .http_status_as_error(false)
        .build();
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    request.call().expect("a response")
}

/// Decodes a frame with one version as differences to a base.
fn apply(frame: &[u8], base: &Version) -> Version {
    let mut records = read_server_frame(frame).expect("a frame of this version");
    let Some(Ok(ServerRecord::Version(body))) = records.next() else {
        panic!("expected a version")
    };
    assert!(records.next().is_none(), "more than one record");
    assert_eq!(body.base, Some(base.hash()));
    let d = body.parameters as usize;
    Version::from_differences(Some(base), body.number, body.grid, body.differences, d)
        .expect("valid differences")
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().expect("text")
}

#[test]
fn whole_version_has_requested_hash() {
    let server = TestServer::start(settings());
    let mut publisher = Publisher::join(&server);
    let hashes = [newest(&server), publisher.publish(), publisher.publish()];
    for hash in hashes {
        let frame = server.get(&whole_path(&server, hash));
        assert_eq!(whole_version(&frame).hash(), hash);
    }
    let status = server.status();
    assert_eq!(status["version_hash"], hashes[2].to_string());
    let number = server.state().gateway.snapshot().version.number();
    assert_eq!(status["version"], number);
    let model = server.get("/api/v1/model");
    assert_eq!(whole_version(&model).hash(), hashes[2]);
}

#[test]
fn differences_lead_from_each_base() {
    let server = TestServer::start(settings());
    let mut publisher = Publisher::join(&server);
    let hashes = [newest(&server), publisher.publish(), publisher.publish()];
    for base in hashes {
        let base = whole_version(&server.get(&whole_path(&server, base)));
        for version in hashes.into_iter().filter(|hash| *hash != base.hash()) {
            let frame = server.get(&differences_path(&server, version, base.hash()));
            assert_eq!(apply(&frame, &base).hash(), version);
        }
    }
}

#[test]
fn request_and_session_get_same_bytes() {
    let server = TestServer::start(settings());
    let mut publisher = Publisher::join(&server);
    let base = newest(&server);
    let version = publisher.publish();
    let snapshot = server.state().gateway.snapshot();
    for (path, base) in [
        (whole_path(&server, version), None),
        (differences_path(&server, version, base), Some(base)),
    ] {
        let mut frame = Vec::new();
        ServerFrame::new(&mut frame).version(&snapshot.encoded_since(base));
        assert_eq!(server.get(&path), frame, "{path}");
    }
}

#[test]
fn relay_follows_run_by_differences() {
    let server = TestServer::start(Settings {
        horizon: Some(40.0),
        batch: Some(16),
        ..settings()
    });
    let first = newest(&server);
    let mut held = whole_version(&server.get(&whole_path(&server, first)));
    std::thread::scope(|scope| {
        let fleet = scope.spawn(|| server.train(&[(2, Attack::None)]));
        while !fleet.is_finished() || held.hash() != newest(&server) {
            let published = newest(&server);
            if published == held.hash() {
                std::thread::yield_now();
                continue;
            }
            let path = differences_path(&server, published, held.hash());
            held = apply(&server.get(&path), &held);
            assert_eq!(held.hash(), published);
        }
    });
    assert_ne!(held.hash(), first);
}

#[test]
fn version_is_immutable_for_caches() {
    for (join_token, expected) in [
        (None, "public, max-age=31536000, immutable"),
        (
            Some("a token".to_owned()),
            "private, max-age=31536000, immutable",
        ),
    ] {
        let server = TestServer::start(Settings {
            join_token,
            ..settings()
        });
        let path = whole_path(&server, newest(&server));
        let response = request(&server, &path, &[("accept-encoding", "gzip")]);
        assert_eq!(response.status(), 200);
        let headers = response.headers();
        assert_eq!(header(headers, "cache-control"), expected);
        assert_eq!(header(headers, "content-type"), "application/octet-stream");
        assert!(!headers.contains_key("content-encoding"));
        let tag = header(headers, "etag");
        assert!(tag.starts_with('"'), "a strong tag: {tag}");
    }
}

#[test]
fn known_etag_returns_304() {
    let server = TestServer::start(settings());
    let mut publisher = Publisher::join(&server);
    let base = newest(&server);
    let version = publisher.publish();
    let paths = [
        whole_path(&server, version),
        differences_path(&server, version, base),
    ];
    let tags = paths.map(|path| {
        let first = request(&server, &path, &[]);
        let tag = header(first.headers(), "etag").to_owned();
        let again = request(&server, &path, &[("if-none-match", &tag)]);
        assert_eq!(again.status(), 304, "{path}");
        for name in ["etag", "cache-control"] {
            assert_eq!(again.headers()[name], first.headers()[name], "{path}");
        }
        assert_eq!(again.into_body().read_to_vec().unwrap(), b"", "{path}");
        let other = request(&server, &path, &[("if-none-match", "\"other\"")]);
        assert_eq!(other.status(), 200, "{path}");
        tag
    });
    assert_ne!(tags[0], tags[1]);
}

#[test]
fn head_returns_headers_only() {
    let server = TestServer::start(settings());
    let path = whole_path(&server, newest(&server));
    let whole = request(&server, &path, &[]);
    let head = ureq::head(server.url(&path)).call().expect("a response");
    for name in ["etag", "cache-control", "content-type", "content-length"] {
        assert_eq!(head.headers()[name], whole.headers()[name], "{name}");
    }
    assert_eq!(head.into_body().read_to_vec().unwrap(), b"");
}

#[test]
fn unavailable_version_states_the_reason() {
    let server = TestServer::start(settings());
    let held = newest(&server).to_string();
    let unknown = "0123456789abcdef".repeat(4);
    let upper = unknown.to_uppercase();
    let long = "0".repeat(5000);
    let in_run = |rest: &str| path(&server, rest);
    let other_run = format!("/api/v1/runs/{}/versions/{held}", "0".repeat(16));
    let no_run = format!("/api/v1/runs/latest/versions/{held}");
    for (path, code, reason) in [
        (
            in_run(&unknown),
            404,
            "expected a version that the server holds",
        ),
        (
            in_run(&format!("{unknown}/from/{held}")),
            404,
            "expected a version that",
        ),
        (
            in_run(&format!("{held}/from/{unknown}")),
            404,
            "expected a base that",
        ),
        (
            in_run(&format!("{held}/from/{held}")),
            404,
            "expected a base other than",
        ),
        (other_run, 404, "expected the run "),
        (no_run, 404, "expected the run "),
        (
            in_run("newest"),
            400,
            "expected a version hash of 64 hexadecimal digits",
        ),
        (in_run(&held[1..]), 400, "expected a version hash"),
        (in_run(&format!("{held}0")), 400, "expected a version hash"),
        (in_run(&upper), 400, "expected a version hash"),
        (in_run(&long), 400, "expected a version hash"),
        (in_run("%00"), 400, "expected a version hash"),
        (
            in_run(&format!("{held}/from/0")),
            400,
            "expected a version hash",
        ),
    ] {
        let mut response = request(&server, &path, &[("if-none-match", "*")]);
        let text = response.body_mut().read_to_string().expect("text");
        assert_eq!(response.status(), code, "{path}: {text}");
        assert!(text.starts_with(reason), "{path}: {text}");
        assert_eq!(header(response.headers(), "cache-control"), "no-store");
    }
}

#[test]
fn forgotten_version_is_unavailable() {
    let server = TestServer::start(settings());
    let mut publisher = Publisher::join(&server);
    let first = newest(&server);
    let second = publisher.publish();
    let path = whole_path(&server, first);
    assert_eq!(request(&server, &path, &[]).status(), 200);
    for _ in 1..MAX_HELD {
        publisher.publish();
    }
    let current = newest(&server);
    assert_eq!(request(&server, &path, &[]).status(), 404);
    for (base, code) in [(first, 404), (second, 200)] {
        let path = differences_path(&server, current, base);
        assert_eq!(request(&server, &path, &[]).status(), code, "{path}");
    }
}
