//! Who may join, how often, and who is remembered.

use std::sync::Arc;
use std::time::Duration;

use farsign::task::{Goodbye, GoodbyeReason, Secret};
use farsign::wire::Hello;
use farsign_server::coordinator::Listed;
use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_server::volunteer::{self, Attack, Tally, VolunteerOptions, WorkerEnd};
use farsign_tests::host::Host;
use farsign_tests::raw::RawVolunteer;
use farsign_tests::waiting;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite;

const PROXY: &str = "127.0.0.1";

fn host(settings: Settings) -> Host {
    Host::start(Settings { model: Some(ModelKind::Softmax), ..settings })
}

/// Connects through a proxy that says it speaks for this address.
fn behind_proxy(host: &Host, address: &str) -> RawVolunteer {
    RawVolunteer::connect_with(host, &[("x-forwarded-for", address)]).expect("a WebSocket")
}

fn known(secret: u8) -> Hello<'static> {
    Hello { secret: Some(Secret([secret; 16])), ..Hello::default() }
}

fn goodbye(mut volunteer: RawVolunteer) -> Goodbye {
    let said = volunteer.hear();
    said.goodbye.unwrap_or_else(|| panic!("expected a goodbye, heard {said:?}"))
}

/// Says hello; the server takes it.
fn assert_joins(mut volunteer: RawVolunteer) -> RawVolunteer {
    volunteer.hello();
    let said = volunteer.hear();
    assert!(said.task.is_some(), "expected a task, heard {said:?}");
    volunteer
}

fn list(host: &Host) -> Vec<Listed> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(host.app().coordinator.roster()).expect("the server runs").volunteers
}

#[test]
fn pages_of_others_open_no_sessions() {
    let host = host(Settings { allow_origin: Some("https://friend.example".into()), ..Settings::default() });
    let connect = |origin: &str| RawVolunteer::connect_with(&host, &[("origin", origin)]);
    for origin in [host.url("").as_str(), "https://friend.example"] {
        assert_joins(connect(origin).unwrap_or_else(|error| panic!("{origin}: {error}")));
    }
    for origin in ["https://stranger.example", "null"] {
        match connect(origin) {
            Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 403),
            other => panic!("{origin}: expected a refusal, found {other:?}"),
        }
    }
}

#[test]
fn who_does_not_know_the_token_does_not_join() {
    let settings = Settings { join_token: Some("sesame".into()), horizon: Some(20.0), ..Settings::default() };
    let host = host(settings);
    assert_eq!(host.status()["run"]["token_required"], true);
    for token in [None, Some("Sesame"), Some("sesame2")] {
        let mut volunteer = RawVolunteer::connect(&host);
        volunteer.hello_as(&Hello { token, ..Hello::default() });
        let never = Goodbye { reason: GoodbyeReason::TokenWrong, retry_after_ms: None };
        assert_eq!(volunteer.hear().goodbye, Some(never));
        assert_eq!(volunteer.hear_close(), 1008);
    }
    let guest = VolunteerOptions { token: Some("sesame".into()), ..host.fleet(1) };
    assert_eq!(host.train_with(&[guest]), [WorkerEnd::Finished]);
}

#[test]
fn an_address_that_joins_too_often_is_told_when_to_come_back_and_others_are_not_concerned() {
    let settings =
        Settings { joins_per_minute: Some(2), trusted_proxy: Some(PROXY.into()), ..Settings::default() };
    let host = host(settings);
    let _there = [1, 2].map(|_| assert_joins(behind_proxy(&host, "203.0.113.1")));
    let refused = goodbye(behind_proxy(&host, "203.0.113.1"));
    assert_eq!(refused.reason, GoodbyeReason::TooManyJoins);
    assert!(refused.retry_after_ms.is_some_and(|wait_ms| (5_000..120_000).contains(&wait_ms)), "{refused:?}");
    let refused = goodbye(behind_proxy(&host, "203.0.113.9, 203.0.113.1"));
    assert_eq!(refused.reason, GoodbyeReason::TooManyJoins, "only the last hop counts");
    assert_joins(behind_proxy(&host, "203.0.113.2"));
}

#[test]
fn what_a_client_says_of_itself_changes_nothing_without_a_trusted_proxy() {
    let host = host(Settings { joins_per_minute: Some(1), ..Settings::default() });
    assert_joins(behind_proxy(&host, "203.0.113.1"));
    assert_eq!(goodbye(behind_proxy(&host, "203.0.113.2")).reason, GoodbyeReason::TooManyJoins);
}

#[test]
fn one_address_gets_so_many_sessions_and_an_ipv6_network_is_one() {
    let settings = Settings {
        max_volunteers_per_address: Some(1),
        max_connections_per_address: Some(1), // of the proxy, to which it does not apply
        trusted_proxy: Some(PROXY.into()),
        ..Settings::default()
    };
    let host = host(settings);
    let first = assert_joins(behind_proxy(&host, "2001:db8::1"));
    let refused = goodbye(behind_proxy(&host, "2001:db8::2"));
    assert_eq!(refused.reason, GoodbyeReason::AddressFull);
    assert!(refused.retry_after_ms.is_some_and(|wait_ms| wait_ms >= 5000), "{refused:?}");
    let _other = assert_joins(behind_proxy(&host, "2001:db8:0:1::1"));
    drop(first);
    host.wait_until("the end of the session", |status| status["volunteers"]["connected"] == 1);
    assert_joins(behind_proxy(&host, "2001:db8::2"));
}

#[test]
fn a_storm_of_joins_is_answered_and_spread_out() {
    let host = host(Settings { max_volunteers: Some(1), ..Settings::default() });
    let _there = assert_joins(RawVolunteer::connect(&host));
    let turned_away: Vec<_> = (0..200).map(|_| RawVolunteer::connect(&host)).collect();
    let goodbyes: Vec<_> = turned_away.into_iter().map(goodbye).collect();
    assert!(goodbyes.iter().all(|goodbye| goodbye.reason == GoodbyeReason::ServerFull));
    let waits: Vec<u32> = goodbyes.iter().filter_map(|goodbye| goodbye.retry_after_ms).collect();
    assert_eq!(waits.len(), 200);
    // At 100 a second, the last are asked back at least a second later than the first.
    assert!(waits.iter().all(|wait_ms| (5_000..15_000).contains(wait_ms)), "{waits:?}");
    let busiest = (5..15).map(|s| waits.iter().filter(|wait_ms| **wait_ms / 1000 == s).count()).max();
    assert!(busiest < Some(120), "{waits:?}");
}

#[test]
fn a_second_session_of_the_same_volunteer_ends_the_first() {
    let host = host(Settings { rule: Some(RuleKind::Plain), ..Settings::default() });
    let join = |secret| {
        let mut volunteer = RawVolunteer::connect(&host);
        volunteer.hello_as(&known(secret));
        let task = volunteer.hear().task.expect("a task");
        (volunteer, task)
    };
    let (mut older, _) = join(1);
    let (mut stranger, strangers_task) = join(2);
    let (mut newer, task) = join(1);
    let never = Goodbye { reason: GoodbyeReason::TakenOver, retry_after_ms: None };
    assert_eq!(older.hear().goodbye, Some(never), "or the two would end each other for ever");
    assert_eq!(older.hear_close(), 1008);
    let mut bits = vec![0xaa; 982];
    bits[981] = 0b10;
    for (volunteer, task) in [(&mut newer, task), (&mut stranger, strangers_task)] {
        volunteer.answer(task.id, &bits);
        assert!(volunteer.hear().accepted.is_some());
    }
    host.wait_until("two sessions", |status| status["volunteers"]["connected"] == 2);
    assert_eq!(list(&host).len(), 2);
}

/// Runs a fleet for as long as `meanwhile` takes.
fn while_it_works<T>(fleet: VolunteerOptions, meanwhile: impl FnOnce() -> T) -> T {
    let (stop, stopping) = watch::channel(false);
    let work =
        std::thread::spawn(move || volunteer::run(&fleet, &Arc::new(Tally::default()), &stopping, |_, _| {}));
    let result = meanwhile();
    stop.send_replace(true);
    work.join().expect("no panic").expect("data and threads");
    result
}

#[test]
fn what_was_earned_is_there_again_after_a_reconnect() {
    let settings = Settings { check_share: Some(1.0), check_cpu_share: Some(1.0), ..Settings::default() };
    let host = host(Settings { horizon: Some(1e6), ..settings });
    let fleet = VolunteerOptions { secret: Some(Secret([7; 16])), ..host.fleet(1) };
    while_it_works(fleet.clone(), || {
        host.wait_until("checks that pass", |status| status["checks"]["passed"].as_u64() >= Some(6));
    });
    host.wait_until("the end of the session", |status| status["volunteers"]["connected"] == 0);

    let idle = |secret| VolunteerOptions { secret, delay: Duration::from_hours(1), ..fleet.clone() };
    let only = || waiting::until_some("a volunteer", || list(&host).pop());
    let again = while_it_works(idle(Some(Secret([7; 16]))), only);
    assert!(again.checks_passed >= 6 && again.accepted >= 6, "{again:?}");
    assert_eq!(again.trust, 1.0);
    host.wait_until("the end of the session", |status| status["volunteers"]["connected"] == 0);
    let stranger = while_it_works(idle(None), only);
    assert_eq!((stranger.checks_passed, stranger.accepted), (0, 0), "a new volunteer begins with nothing");
}

#[test]
fn who_was_removed_for_a_lie_does_not_come_back_under_its_name() {
    let host = host(Settings { check_share: Some(1.0), ..Settings::default() });
    let secret = Some(Secret([9; 16]));
    let liar = VolunteerOptions { attack: Attack::SignFlip, secret, ..host.fleet(1) };
    let honest = VolunteerOptions { secret, ..host.fleet(1) };
    let removed = |reason| [WorkerEnd::Removed(reason)];
    assert_eq!(host.train_with(&[liar]), removed(GoodbyeReason::WrongAnswer));
    assert_eq!(host.train_with(&[honest]), removed(GoodbyeReason::Banned), "not even to do better");
    assert_joins(RawVolunteer::connect(&host));
}
