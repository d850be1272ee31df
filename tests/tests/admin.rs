//! The host's own API: closed to everybody else, and what it says is done.

use std::sync::Arc;

use farsign::task::{Goodbye, GoodbyeReason, RejectReason, Secret, TaskId};
use farsign::wire::Hello;
use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_server::volunteer::{self, Tally, VolunteerOptions, WorkerEnd};
use farsign_tests::host::Host;
use farsign_tests::raw::{RawVolunteer, Said};
use farsign_tests::waiting;
use serde_json::Value;
use tokio::sync::watch;

const TOKEN: &str = "a token of the host's own";

fn host(settings: Settings) -> Host {
    let (model, rule) = (Some(ModelKind::Softmax), Some(RuleKind::Plain));
    Host::start(Settings { model, rule, admin_token: Some(TOKEN.into()), ..settings })
}

/// Asks with any token or none; gives the status code and the body.
fn ask(host: &Host, token: Option<&str>, method: &str, path: &str, body: &str) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = host.url(&format!("/api/v1/admin/{path}"));
    let token = token.unwrap_or_default();
    let answered = match method {
        "GET" => agent.get(url).header("authorization", token).call(),
        "DELETE" => agent.delete(url).header("authorization", token).call(),
        "PUT" => agent.put(url).header("authorization", token).send(body),
        _ => agent.post(url).header("authorization", token).send(body),
    };
    let mut response = answered.expect("the server answers");
    (response.status().as_u16(), response.body_mut().read_to_string().expect("a text"))
}

fn as_host(host: &Host, method: &str, path: &str, body: &str) -> (u16, String) {
    ask(host, Some(&format!("Bearer {TOKEN}")), method, path, body)
}

fn json(host: &Host, path: &str) -> Value {
    let (code, text) = as_host(host, "GET", path, "");
    assert_eq!(code, 200, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

fn join(host: &Host, secret: u8) -> RawVolunteer {
    let mut volunteer = RawVolunteer::connect(host);
    volunteer.hello_as(&Hello { secret: Some(Secret([secret; 16])), ..Hello::default() });
    volunteer
}

fn assert_ended(volunteer: &mut RawVolunteer, reason: GoodbyeReason) {
    assert_eq!(volunteer.hear().goodbye, Some(Goodbye { reason, retry_after_ms: None }));
}

#[test]
fn without_the_token_there_is_nothing_to_see_and_nothing_to_do() {
    let (open, closed) = (host(Settings::default()), Host::start(Settings::default()));
    let bearer = format!("Bearer {TOKEN}");
    for (method, path) in [
        ("GET", "volunteers"),
        ("DELETE", "volunteers/1"),
        ("GET", "bans"),
        ("POST", "bans"),
        ("DELETE", "bans/address/192.0.2.1"),
        ("POST", "pause"),
        ("POST", "resume"),
        ("PUT", "effort"),
        ("PUT", "volunteers/1/effort"),
    ] {
        for token in [None, Some("Bearer "), Some("Bearer wrong"), Some(TOKEN), Some("Basic YTpi")] {
            assert_eq!(
                ask(&open, token, method, path, "address 192.0.2.1").0,
                401,
                "{method} {path} {token:?}"
            );
        }
        let (code, _) = ask(&closed, Some(&bearer), method, path, "address 192.0.2.1");
        assert_eq!(code, 404, "{method} {path} on a server without an admin token");
    }
    assert_eq!(open.status()["run"]["paused"], false);
    assert_eq!(json(&open, "bans"), Value::Array(vec![]));
}

#[test]
fn volunteers_are_listed_and_can_be_sent_away() {
    let host = host(Settings::default());
    let mut volunteer = join(&host, 1);
    let task = volunteer.hear().task.expect("a task");
    volunteer.answer(task.id, &[&[0; 981][..], &[0]].concat());
    assert!(volunteer.hear().accepted.is_some());
    let listed = json(&host, "volunteers");
    let row = &listed[0];
    assert_eq!((&row["address"], &row["agent"]), (&"127.0.0.1".into(), &"raw-test".into()));
    assert_eq!((&row["accepted"], &row["checks_passed"]), (&1.into(), &0.into()));
    assert!(row["accepted_per_s"].as_f64() > Some(0.0) && row["trust"].as_f64() > Some(0.0), "{row}");
    let identity = row["identity"].as_str().expect("it has one");
    assert!(identity.len() == 32 && !listed.to_string().contains(&"01".repeat(16)), "never the secret");

    assert_eq!(as_host(&host, "DELETE", "volunteers/999", "").0, 404);
    assert_eq!(as_host(&host, "DELETE", &format!("volunteers/{}", row["id"]), "").0, 204);
    assert_ended(&mut volunteer, GoodbyeReason::Kicked);
    assert_eq!(json(&host, "volunteers"), Value::Array(vec![]));
    assert!(join(&host, 1).hear().task.is_some(), "it may come back");
}

#[test]
fn bans_end_sessions_keep_who_is_banned_out_and_can_be_lifted() {
    let host = host(Settings::default());
    let mut volunteer = join(&host, 1);
    assert!(volunteer.hear().task.is_some());
    let identity = json(&host, "volunteers")[0]["identity"].as_str().expect("it has one").to_owned();
    let ban = format!("identity {identity}");
    assert_eq!(as_host(&host, "POST", "bans", &ban).0, 204);
    assert_ended(&mut volunteer, GoodbyeReason::Banned);
    assert_ended(&mut join(&host, 1), GoodbyeReason::Banned);
    let mut other = join(&host, 2);
    assert!(other.hear().task.is_some(), "only this one is banned");

    assert_eq!(as_host(&host, "POST", "bans", "address 127.0.0.1").0, 204);
    assert_ended(&mut other, GoodbyeReason::Banned);
    assert_ended(&mut RawVolunteer::connect(&host), GoodbyeReason::Banned);
    assert_eq!(json(&host, "bans"), Value::from(vec!["address 127.0.0.1".to_owned(), ban.clone()]));

    let (code, said) = as_host(&host, "POST", "bans", "everybody");
    assert!(code == 400 && said.contains("\"everybody\""), "{code} {said}");
    assert_eq!(as_host(&host, "POST", "bans", &"x".repeat(10_000)).0, 413);
    for ban in [ban.as_str(), "address 127.0.0.1"] {
        let path = format!("bans/{}", ban.replace(' ', "/"));
        assert_eq!(as_host(&host, "DELETE", &path, "").0, 204);
        assert_eq!(as_host(&host, "DELETE", &path, "").0, 404);
    }
    assert!(join(&host, 1).hear().task.is_some());
}

#[test]
fn bans_survive_in_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let ban_file = Some(folder.path().join("bans"));
    let settings = Settings { ban_file: ban_file.clone(), ..Settings::default() };
    let first = host(settings.clone());
    assert_eq!(as_host(&first, "POST", "bans", "address 127.0.0.1").0, 204);
    waiting::until_some("the file", || {
        std::fs::read_to_string(ban_file.as_ref()?).ok().filter(|text| text == "address 127.0.0.1\n")
    });
    drop(first);
    assert_ended(&mut RawVolunteer::connect(&host(settings)), GoodbyeReason::Banned);
}

#[test]
fn while_the_run_is_paused_nobody_works_and_afterwards_it_goes_on() {
    let host = host(Settings::default());
    let mut volunteer = join(&host, 1);
    assert!(volunteer.hear().task.is_some());
    assert_eq!(as_host(&host, "POST", "pause", "").0, 204);
    assert_eq!(host.status()["run"]["paused"], true);
    for volunteer in [&mut volunteer, &mut join(&host, 2)] {
        let goodbye = volunteer.hear().goodbye.expect("a goodbye");
        assert_eq!(goodbye.reason, GoodbyeReason::Paused);
        assert!(goodbye.retry_after_ms >= Some(5000), "{goodbye:?}");
    }
    assert_eq!(as_host(&host, "POST", "resume", "").0, 204);
    assert!(join(&host, 1).hear().task.is_some());
}

/// Answers a task of the softmax run; gives what comes back.
fn answer(volunteer: &mut RawVolunteer, task: TaskId) -> Said {
    volunteer.answer(task, &[&[0; 981][..], &[0]].concat());
    let said = volunteer.hear();
    assert!(said.accepted.is_some(), "an answer is acknowledged at once: {said:?}");
    said
}

#[test]
fn a_volunteer_whose_effort_is_turned_down_rests_and_then_gets_its_task() {
    let host = host(Settings::default());
    let mut one = join(&host, 1);
    let first = one.hear().task.expect("a task"); // so it is the first of the list
    let mut other = join(&host, 2);
    let others = other.hear().task.expect("a task");
    let id = &json(&host, "volunteers")[0]["id"];
    assert_eq!(as_host(&host, "PUT", &format!("volunteers/{id}/effort"), "50").0, 204);
    assert_eq!(json(&host, "volunteers")[0]["effort_percent"], 50);

    let said = answer(&mut one, first.id);
    assert_eq!((said.task, said.snapshot), (None, None), "it has time to rest");
    assert!(answer(&mut other, others.id).task.is_some(), "the other has not");
    let said = one.hear();
    assert!(said.task.is_some() && said.snapshot.is_some() && said.accepted.is_none(), "{said:?}");

    assert_eq!(as_host(&host, "PUT", &format!("volunteers/{id}/effort"), "100").0, 204);
    assert!(answer(&mut one, said.task.unwrap().id).task.is_some(), "no rest any more");
}

#[test]
fn what_a_resting_volunteer_sends_is_rejected_and_it_still_gets_its_task() {
    let host = host(Settings::default());
    let mut volunteer = join(&host, 1);
    let task = volunteer.hear().task.expect("a task").id;
    assert_eq!(as_host(&host, "PUT", "effort", "50").0, 204);
    assert_eq!(answer(&mut volunteer, task).task, None);
    volunteer.answer(task, &[&[0; 981][..], &[0]].concat());
    let (mut heard, mut next) = (Vec::new(), None);
    while next.is_none() || heard.is_empty() {
        let said = volunteer.hear();
        heard.extend(said.rejected);
        next = next.or(said.task);
    }
    assert_eq!(heard, [(task, RejectReason::AlreadyAnswered)]);
}

#[test]
fn the_effort_of_all_holds_for_who_joins_later_and_nonsense_is_refused() {
    let host = host(Settings::default());
    assert_eq!(as_host(&host, "PUT", "effort", "25\n").0, 204);
    let mut volunteer = join(&host, 1);
    let task = volunteer.hear().task.expect("the first task comes at once");
    assert_eq!(json(&host, "volunteers")[0]["effort_percent"], 25);
    assert_eq!(answer(&mut volunteer, task.id).task, None);
    assert!(volunteer.hear().task.is_some());
    for nonsense in ["0", "101", "half", ""] {
        let (code, said) = as_host(&host, "PUT", "effort", nonsense);
        assert!(code == 400 && said.contains("1 to 100"), "{nonsense:?}: {code} {said}");
    }
    assert_eq!(as_host(&host, "PUT", "volunteers/99/effort", "50").0, 404);
}

#[test]
fn a_fleet_that_may_only_work_half_the_time_still_trains() {
    let host = host(Settings::default());
    assert_eq!(as_host(&host, "PUT", "effort", "50").0, 204);
    let (tally, (stop, stopping)) = (Arc::new(Tally::default()), watch::channel(false));
    let options = VolunteerOptions::new(host.url("/").parse().expect("an address"), 2);
    std::thread::scope(|scope| {
        let fleet = scope.spawn(|| volunteer::run(&options, &tally, &stopping, |_, _| {}));
        waiting::until_some("answers", || (tally.accepted() >= 40).then_some(()));
        stop.send_replace(true);
        let ends = fleet.join().expect("no panic").expect("data");
        assert!(ends.iter().all(|end| *end == WorkerEnd::Stopped), "{ends:?}");
    });
}
