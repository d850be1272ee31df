//! What the server answers over HTTP.

use farsign::dataset::{Dataset, IdxFile, IdxPair};
use farsign::wire::{ServerRecord, read_server_frame};
use farsign_server::settings::Settings;
use farsign_tests::host::Host;
use farsign_tests::raw::RawVolunteer;

#[test]
fn the_page_is_part_of_the_program() {
    let host = Host::start(Settings::default());
    let page = String::from_utf8(host.get("/")).unwrap();
    assert!(page.contains("id=\"start\""), "the page has a Start button");
    assert_eq!(host.get("/healthz"), b"ok");
    let missing = ureq::get(host.url("/nothing-here")).call();
    assert!(matches!(missing, Err(ureq::Error::StatusCode(404))), "{missing:?}");
    let headers = ureq::get(host.url("/")).call().unwrap().headers().clone();
    assert!(headers["content-security-policy"].to_str().unwrap().contains("default-src 'self'"));
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
    assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
    assert!(headers["permissions-policy"].to_str().unwrap().contains("camera=()"));
    assert!(!headers.contains_key("strict-transport-security"), "there is no TLS");
}

#[test]
fn volunteers_get_the_training_data_and_its_digest_fits() {
    let host = Host::start(Settings::default());
    let file = |name: &str| host.get(&format!("/api/v1/dataset/{name}"));
    let (images, labels) = (file("train-images-idx3-ubyte.gz"), file("train-labels-idx1-ubyte.gz"));
    let data = Dataset::training(IdxPair {
        images: IdxFile { name: "images", bytes: &images },
        labels: IdxFile { name: "labels", bytes: &labels },
    });
    let mut volunteer = RawVolunteer::connect(&host);
    volunteer.hello();
    let welcome = volunteer.hear().welcome.expect("a welcome");
    assert_eq!(data.unwrap().digest(), welcome.settings.train_digest);
}

#[test]
fn the_snapshot_is_the_model_volunteers_work_on() {
    let host = Host::start(Settings::default());
    let frame = host.get("/api/v1/snapshot");
    let records: Vec<_> = read_server_frame(&frame).unwrap().map(Result::unwrap).collect();
    let [ServerRecord::Snapshot(snapshot)] = &records[..] else {
        panic!("expected one snapshot: {records:?}")
    };
    let mut x = Vec::new();
    snapshot.unpack(&mut x).unwrap();
    assert_eq!(x[..], host.app().coordinator.snapshot().x[..]);
}

#[test]
fn the_status_says_what_is_trained_on_what() {
    let host = Host::start(Settings::default());
    let status = host.wait_until("a first evaluation", |status| !status["held_out"]["accuracy"].is_null());
    assert_eq!(status["model"]["name"], "mlp 784-128-10");
    assert_eq!(status["model"]["parameters"], 101_770);
    assert_eq!(status["data"]["train_count"], 8500);
    assert_eq!(status["data"]["held_out_count"], 1500);
    assert_eq!(status["run"]["rule"], "verified");
    assert_eq!(status["held_out"]["history"][0]["accepted"], 0);
}
