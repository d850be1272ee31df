//! What a host watches: the stream of views, its window on the volunteers, and its end.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use farsign::task::{GoodbyeReason, Secret};
use farsign::wire::Hello;
use farsign_server::settings::{ModelKind, RuleKind, Settings};
use farsign_server::volunteer::Attack;
use farsign_tests::crowd::Crowd;
use farsign_tests::host::Host;
use farsign_tests::raw::RawVolunteer;
use serde_json::Value;

const TOKEN: &str = "a token of the host's own";

/// Dashboards that may be open at once.
const MOST_OPEN: usize = 8;

fn host(settings: Settings) -> Host {
    let rule = settings.rule.or(Some(RuleKind::Plain));
    Host::start(Settings {
        model: Some(ModelKind::Softmax),
        rule,
        admin_token: Some(TOKEN.into()),
        ..settings
    })
}

/// A dashboard that is open.
struct Dashboard(BufReader<Box<dyn Read + Send>>);

impl Dashboard {
    /// Opens one; or the status code that it was refused with.
    fn open(host: &Host, query: &str) -> Result<Self, u16> {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = host.url(&format!("/api/v1/admin/dashboard?{query}"));
        let answer = agent.get(url).header("authorization", format!("Bearer {TOKEN}")).call();
        let response = answer.expect("the server answers");
        match response.status().as_u16() {
            200 => Ok(Self(BufReader::new(Box::new(response.into_body().into_reader())))),
            code => Err(code),
        }
    }

    /// The next view; none when the stream has ended.
    fn next(&mut self) -> Option<Value> {
        for line in self.0.by_ref().lines() {
            let line = line.ok()?;
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).expect("a view is JSON"));
            }
        }
        None
    }

    /// Views until one meets a condition.
    fn until(&mut self, what: &str, met: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..60 {
            let view = self.next().expect("the stream goes on");
            if met(&view) {
                return view;
            }
        }
        panic!("{what} did not come about in 60 views");
    }
}

fn ids(view: &Value) -> Vec<u64> {
    let rows = view["volunteers"]["rows"].as_array().expect("rows");
    rows.iter().map(|row| row["id"].as_u64().expect("an id")).collect()
}

#[test]
fn the_host_sees_who_works_how_and_who_was_sent_away_and_why() {
    let host = host(Settings::default());
    let mut dashboard = Dashboard::open(&host, "sort=accepted&descending=true").expect("it opens");
    let nobody = dashboard.next().expect("a view at once");
    assert_eq!((&nobody["volunteers"]["all"], &nobody["removed"]), (&0.into(), &0.into()));
    assert_eq!(nobody["saved"], Value::Null);

    let mut idle = RawVolunteer::connect(&host);
    idle.hello_as(&Hello { secret: Some(Secret([7; 16])), ..Hello::default() });
    assert!(idle.hear().task.is_some(), "it is the first");
    let began = Instant::now();
    let crowd = Crowd::join(host.address(), 3, Duration::from_millis(20));
    let view = dashboard.until("answers of three", |view| {
        let rows = view["volunteers"]["rows"].as_array().expect("rows");
        rows.iter().filter(|row| row["accepted"].as_u64() > Some(20)).count() == 3
    });
    assert!(crowd.accepted() > 60);
    let rows = view["volunteers"]["rows"].as_array().expect("rows");
    let (busy, last) = (&rows[0], &rows[3]);
    assert_eq!((&last["id"], &last["accepted"]), (&1.into(), &0.into()), "{view:#}");
    assert!(last["identity"].is_string() && busy["identity"].is_null());
    let least = 0.5 * busy["accepted"].as_f64().expect("a count") / began.elapsed().as_secs_f64();
    assert!(busy["accepted_per_s"].as_f64() > Some(least), "more than {least}: {busy:#}");
    assert_eq!(busy["agreement"], 1.0, "all of the crowd send the same");
    assert!(busy["staleness"].as_f64().is_some_and(|staleness| (0.0..=4.0).contains(&staleness)), "{busy:#}");
    let shares: f64 = rows.iter().map(|row| row["weight_share"].as_f64().expect("a share")).sum();
    assert!((shares - 1.0).abs() < 1e-3, "{shares} of the weight");
    assert!(last["silent_s"].as_f64() > busy["silent_s"].as_f64());

    let url = host.url("/api/v1/admin/volunteers/1");
    let kicked = ureq::delete(url).header("authorization", format!("Bearer {TOKEN}")).call();
    assert_eq!(kicked.expect("it is there").status(), 204);
    let view = dashboard.until("a removal", |view| view["removed"] == 1);
    let removal = &view["removals"][0];
    assert_eq!((&removal["id"], &removal["reason"]), (&1.into(), &GoodbyeReason::Kicked.name().into()));
    assert_eq!(removal["identity"], last["identity"]);
    assert_eq!(view["volunteers"]["all"], 3);
}

#[test]
fn who_lies_is_seen_among_those_who_were_sent_away() {
    let host =
        host(Settings { rule: Some(RuleKind::Verified), check_share: Some(1.0), ..Settings::default() });
    let mut dashboard = Dashboard::open(&host, "").expect("it opens");
    host.train(&[(1, Attack::SignFlip)]);
    let view = dashboard.until("a removal", |view| view["removed"] == 1);
    assert_eq!(view["removals"][0]["reason"], GoodbyeReason::WrongAnswer.name());
    assert_eq!(view["bans"], 1);
}

#[test]
fn a_dashboard_shows_a_screenful_of_many() {
    let host = host(Settings::default());
    let _crowd = Crowd::join(host.address(), 30, Duration::from_millis(200));
    let mut dashboard = Dashboard::open(&host, "rows=10&from=20&sort=id").expect("it opens");
    let view = dashboard.next().expect("a view");
    assert_eq!(ids(&view), (21..=30).collect::<Vec<u64>>());
    assert_eq!(view["volunteers"]["all"], 30);
    assert_eq!(Dashboard::open(&host, "sort=beauty").err(), Some(400));
}

#[test]
fn dashboards_are_few_and_end_with_the_server() {
    let host = host(Settings::default());
    let mut open: Vec<Dashboard> =
        (0..MOST_OPEN).map(|_| Dashboard::open(&host, "").expect("it opens")).collect();
    assert_eq!(Dashboard::open(&host, "").err(), Some(503));
    open.iter_mut().for_each(|dashboard| assert!(dashboard.next().is_some()));
    drop(host);
    for dashboard in &mut open {
        while dashboard.next().is_some() {}
    }
}
