//! What the page asks the server for besides the status: the model that it reads with, and names.

use farsign::task::Secret;
use farsign::wire::{Hello, ServerRecord, read_server_frame};
use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_tests::host::Host;
use farsign_tests::raw::RawVolunteer;
use serde_json::{Value, json};
use ureq::http::StatusCode;

fn host() -> Host {
    let (model, rule) = (Some(ModelKind::Softmax), Some(RuleKind::Plain));
    Host::start(Settings { model, rule, ..Settings::default() })
}

/// Has `answers` answers of this volunteer accepted.
fn contribute(host: &Host, secret: u8, answers: u64) {
    let mut volunteer = RawVolunteer::connect(host);
    volunteer.hello_as(&Hello { secret: Some(Secret([secret; 16])), ..Hello::default() });
    let mut said = volunteer.hear();
    let bits = vec![0; said.welcome.as_ref().expect("a welcome").settings.directions.count().div_ceil(8)];
    for _ in 0..answers {
        volunteer.answer(said.task.expect("a task").id, &bits);
        said = volunteer.hear();
        assert!(said.accepted.is_some(), "{said:?}");
    }
}

fn hex(secret: u8) -> String {
    format!("{secret:02x}").repeat(16)
}

fn post(host: &Host, path: &str, origin: &str, body: &Value) -> (StatusCode, Value) {
    let request = ureq::post(host.url(path)).config().http_status_as_error(false).build();
    let request = request.header("content-type", "application/json").header("origin", origin);
    let mut response = request.send(body.to_string()).expect("the server answers");
    let text = response.body_mut().read_to_string().expect("the body comes");
    (response.status(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Says a name as the server's own page does.
fn name(host: &Host, person: u8, name: &str, volunteers: &[u8]) -> (StatusCode, Value) {
    let volunteers: Vec<_> = volunteers.iter().map(|secret| hex(*secret)).collect();
    let body = json!({ "person": hex(person), "name": name, "volunteers": volunteers });
    post(host, "/api/v1/leaderboard", &host.url(""), &body)
}

fn leaders(host: &Host) -> Vec<(String, u64)> {
    let list: Value = serde_json::from_slice(&host.get("/api/v1/leaderboard")).expect("JSON");
    let row = |row: &Value| (row["name"].as_str().unwrap().to_owned(), row["accepted"].as_u64().unwrap());
    list["people"].as_array().expect("a list").iter().map(row).collect()
}

#[test]
fn the_shown_model_is_the_model_in_half_precision_and_comes_once() {
    let host = host();
    contribute(&host, 1, 3);
    let response = ureq::get(host.url("/api/v1/model")).call().expect("the server answers");
    let tag = response.headers()["etag"].clone();
    let frame = response.into_body().read_to_vec().expect("the body comes");
    assert!(frame.len() < 2 * 7850 + 100, "{} bytes", frame.len());
    let Some(Ok(ServerRecord::Snapshot(snapshot))) = read_server_frame(&frame).unwrap().next() else {
        panic!("expected a snapshot")
    };
    let (mut x, now) = (Vec::new(), host.app().coordinator.snapshot());
    snapshot.unpack(&mut x).unwrap();
    let rounded: Vec<f32> = now.x.iter().map(|&v| half::f16::from_f32(v).to_f32()).collect();
    assert_eq!((snapshot.version, x), (now.version, rounded));
    let again = ureq::get(host.url("/api/v1/model")).header("if-none-match", tag).call().unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(again.into_body().read_to_vec().unwrap().len(), 0);
}

#[test]
fn who_has_the_data_and_the_page_is_not_sent_them_again() {
    let host = host();
    for path in ["/", "/main.js", "/api/v1/dataset/train-images-idx3-ubyte.gz"] {
        let first = ureq::get(host.url(path)).call().expect("the server answers");
        let tag = first.headers()["etag"].clone();
        let again = ureq::get(host.url(path)).header("if-none-match", tag).call().unwrap();
        assert_eq!(again.status(), 304, "{path}");
        assert!(again.headers().contains_key("content-security-policy"), "{path}");
    }
}

#[test]
fn a_person_is_shown_with_all_that_its_volunteers_contributed_and_can_be_forgotten() {
    let host = host();
    contribute(&host, 1, 3);
    contribute(&host, 2, 4);
    contribute(&host, 3, 5);
    assert_eq!(leaders(&host), []);
    let (status, named) = name(&host, 100, "Ada", &[1, 2]);
    assert_eq!((status.as_u16(), &named["name"], &named["kept"]), (200, &json!("Ada"), &json!(true)));
    name(&host, 101, "Bob", &[3]);
    assert_eq!(leaders(&host), [("Ada".to_owned(), 7), ("Bob".to_owned(), 5)]);
    let leave = json!({ "person": hex(100) });
    let (status, _) = post(&host, "/api/v1/leaderboard/leave", &host.url(""), &leave);
    assert_eq!(status, 204);
    assert_eq!(leaders(&host), [("Bob".to_owned(), 5)]);
}

#[test]
fn a_volunteer_that_has_contributed_nothing_keeps_nobody_on_the_list() {
    let host = host();
    contribute(&host, 1, 1);
    for person in 100..110 {
        let (_, named) = name(&host, person, "Ada", &[1, person]);
        assert_eq!((&named["kept"], &named["volunteers"]), (&json!(true), &json!(1)), "{named}");
    }
    let list: Value = serde_json::from_slice(&host.get("/api/v1/leaderboard")).expect("JSON");
    assert_eq!(list["named"], 1, "one volunteer is one person's, and no other of them has another");
}

#[test]
fn no_name_is_kept_that_nobody_may_have() {
    let host = host();
    contribute(&host, 1, 1);
    let (status, named) = name(&host, 100, "Idle", &[9]);
    assert_eq!((status.as_u16(), &named["kept"]), (200, &json!(false)), "it has contributed nothing");
    for wrong in ["", "<b>bold</b>", "far too long for a name here"] {
        let (status, why) = name(&host, 100, wrong, &[1]);
        assert!(status == 400 && why.as_str().unwrap().starts_with("expected"), "{wrong:?}: {status} {why}");
    }
    let many: Vec<u8> = (0..65).collect();
    assert_eq!(name(&host, 100, "Many", &many).0, 400);
    let own = host.url("");
    for (body, expected) in [
        (json!({ "person": "1", "name": "Ada", "volunteers": [hex(1)] }), 400),
        (json!({ "person": hex(1), "name": "Ada", "volunteers": ["+0"] }), 400),
        (json!({ "person": hex(1), "name": "Ada" }), 422),
        (json!({ "person": hex(1), "name": "x".repeat(5000), "volunteers": [] }), 413),
    ] {
        assert_eq!(post(&host, "/api/v1/leaderboard", &own, &body).0, expected, "{body:.80}");
    }
    let body = json!({ "person": hex(100), "name": "Ada", "volunteers": [hex(1)] });
    assert_eq!(post(&host, "/api/v1/leaderboard", "https://stranger.example", &body).0, 403);
    assert_eq!(leaders(&host), []);
}
