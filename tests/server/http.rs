//! HTTP: the page and its headers, training data, snapshot and status.

use farsign::dataset::{ShardEntry, ShardList, ShardedDataset, hexadecimal, parse_hexadecimal};
use farsign::wire::Hello;
use farsign_server::config::settings::Settings;
use farsign_tests::raw_client::{RawClient, whole_version};
use farsign_tests::test_server::TestServer;

#[test]
fn page_is_embedded_with_security_headers() {
    let server = TestServer::start(Settings::default());
    let page = String::from_utf8(server.get("/")).unwrap();
    assert!(page.contains("id=\"start\""), "the page has a start button");
    assert_eq!(server.get("/healthz"), b"ok");
    let missing = ureq::get(server.url("/nothing-here")).call();
    assert!(
        matches!(missing, Err(ureq::Error::StatusCode(404))),
        "{missing:?}"
    );
    let headers = ureq::get(server.url("/")).call().unwrap().headers().clone();
    assert!(
        headers["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("default-src 'self'")
    );
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
    assert!(
        headers["permissions-policy"]
            .to_str()
            .unwrap()
            .contains("camera=()")
    );
    assert!(
        !headers.contains_key("strict-transport-security"),
        "the server has no TLS"
    );
}

#[test]
fn opener_policy_needs_secure_context() {
    let server = TestServer::start(Settings::default());
    for (host_header, forwarded_proto, expected) in [
        ("localhost:8080", None, true),
        ("[::1]:8080", None, true),
        ("192.0.2.1:8080", None, false),
        ("farsign.example", None, false),
        ("farsign.example", Some("http"), false),
        ("farsign.example", Some("https"), true),
    ] {
        let mut request = ureq::get(server.url("/")).header("Host", host_header);
        if let Some(scheme) = forwarded_proto {
            request = request.header("x-forwarded-proto", scheme);
        }
        let headers = request.call().expect("the page").headers().clone();
        let policy = headers.get("cross-origin-opener-policy");
        let found = policy.is_some_and(|policy| policy == "same-origin");
        assert_eq!(found, expected, "{host_header} {forwarded_proto:?}");
    }
}

#[test]
fn served_data_matches_welcome_digest() {
    let server = TestServer::start(Settings::default());
    let list = shard_list(&server);
    let entries = list["shards"].as_array().expect("shards").iter();
    let entries = entries.map(|shard| ShardEntry {
        digest: parse_hexadecimal(shard["digest"].as_str().expect("text")).expect("a digest"),
        images: shard["images"].as_u64().expect("a number") as usize,
    });
    let number = |field: &str| list[field].as_u64().expect("a number") as usize;
    let (rows, cols, classes) = (number("rows"), number("cols"), number("classes"));
    let shards = ShardList::new(rows, cols, classes, entries.collect()).expect("a valid list");
    let mut data = ShardedDataset::new(shards);
    for shard in list["shards"].as_array().expect("shards") {
        let digest = shard["digest"].as_str().expect("text");
        let packed = server.get(&format!("/api/v1/data/shards/{digest}"));
        assert_eq!(
            packed.len() as u64,
            shard["bytes"].as_u64().expect("a number")
        );
        data.push(&packed).expect("the shard of the list");
    }
    assert!(data.is_complete());
    assert_eq!(data.list().images(), server.state().data.train.len());
    assert_eq!(list["digest"], hexadecimal(data.digest()));
    let mut volunteer = RawClient::connect(&server);
    volunteer.send_hello(&Hello::default());
    let welcome = volunteer.recv().welcome.expect("a welcome");
    assert_eq!(data.digest(), welcome.settings.train_digest);
}

fn shard_list(server: &TestServer) -> serde_json::Value {
    serde_json::from_slice(&server.get("/api/v1/data/shards")).expect("JSON")
}

#[test]
fn unknown_shard_is_404_with_reason() {
    let server = TestServer::start(Settings::default());
    let list = shard_list(&server);
    let digest = list["shards"][0]["digest"].as_str().expect("text");
    let upper = digest.to_uppercase();
    let absent = "0".repeat(64);
    let name = "64 hexadecimal digits in lower case";
    for (shard, reason) in [
        ("0", name),
        ("-1", name),
        ("99999999999999999999", name),
        (&digest[1..], name),
        (&upper, name),
        ("..%2f..%2fetc", name),
        (&absent, "a shard of this run's training data"),
    ] {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let url = server.url(&format!("/api/v1/data/shards/{shard}"));
        let mut response = agent.get(url).call().expect("a response");
        let body = response.body_mut().read_to_string().expect("text");
        assert_eq!(response.status(), 404, "{shard}: {body}");
        assert!(body.contains(reason), "{shard}: {body}");
    }
}

#[test]
fn shard_is_cacheable_as_access_allows() {
    for (join_token, expected) in [
        (None, "public, max-age=31536000, immutable"),
        (Some("token"), "private, max-age=31536000, immutable"),
    ] {
        let server = TestServer::start(Settings {
            join_token: join_token.map(str::to_owned),
            ..Settings::default()
        });
        let list = shard_list(&server);
        let digest = list["shards"][0]["digest"].as_str().expect("text");
        let url = server.url(&format!("/api/v1/data/shards/{digest}"));
        let response = ureq::get(url).call().expect("a response");
        let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(header("cache-control"), expected);
        assert_eq!(header("content-type"), "application/gzip");
        assert_eq!(header("etag"), format!("W/\"{digest}\""));
    }
}

#[test]
fn snapshot_is_current_model() {
    let server = TestServer::start(Settings::default());
    let frame = server.get("/api/v1/snapshot");
    let x = whole_version(&frame);
    assert_eq!(
        x.parameters()[..],
        *server.state().gateway.snapshot().parameters()
    );
}

#[test]
fn status_describes_model_and_data() {
    let server = TestServer::start(Settings::default());
    let status = server.wait_until("a first evaluation", |status| {
        !status["held_out"]["accuracy"].is_null()
    });
    assert_eq!(status["model"]["name"], "mlp 784-128-10");
    assert_eq!(status["model"]["parameters"], 101_770);
    assert_eq!(status["data"]["train_count"], 8500);
    assert_eq!(status["data"]["held_out_count"], 1500);
    assert_eq!(status["run"]["rule"], "verified");
    assert_eq!(status["held_out"]["history"][0]["accepted"], 0);
}
