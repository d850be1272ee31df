//! HTTP: the page and its headers, training data, snapshot and status.

use farsign::dataset::{Dataset, IdxFile, IdxPair};
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
    let file = |name: &str| server.get(&format!("/api/v1/dataset/{name}"));
    let images = file("train-images-idx3-ubyte.gz");
    let labels = file("train-labels-idx1-ubyte.gz");
    let data = Dataset::training(IdxPair {
        images: IdxFile {
            name: "images",
            bytes: &images,
        },
        labels: IdxFile {
            name: "labels",
            bytes: &labels,
        },
    });
    let mut volunteer = RawClient::connect(&server);
    volunteer.send_hello(&Hello::default());
    let welcome = volunteer.recv().welcome.expect("a welcome");
    assert_eq!(data.unwrap().digest(), welcome.settings.train_digest);
}

#[test]
fn snapshot_is_current_model() {
    let server = TestServer::start(Settings::default());
    let frame = server.get("/api/v1/snapshot");
    let x = whole_version(&frame);
    assert_eq!(
        x.parameters()[..],
        *server.state().coordinator.snapshot().parameters()
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
