//! A server that cannot save says so before it stops.

use farsign_server::app::{App, Server};
use farsign_server::edge;
use farsign_server::metrics;
use farsign_server::readiness::{Unready, readiness};
use farsign_server::settings::RuleKind;

use crate::coordinator::{Fixture, somebody};
use crate::disk::Disk;

/// A server that saves on this disk.
fn server(disk: &Disk) -> Server {
    let fixture = Fixture::new(RuleKind::Plain);
    let saved = fixture.begin(disk).unwrap();
    Server::resume(fixture.config, fixture.data, Some(saved)).unwrap()
}

fn figure(app: &App, name: &str) -> f64 {
    let text = metrics::render(app);
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

#[tokio::test]
async fn a_server_that_cannot_save_is_not_ready_and_says_why() {
    let disk = Disk::default();
    let server = server(&disk);
    let app = server.app();
    let listener = edge::listen(([127, 0, 0, 1], 0).into()).unwrap();
    let running = tokio::spawn(server.run(listener, std::future::pending()));
    assert!(app.coordinator.join(somebody()).await.unwrap().is_some());
    assert_eq!(readiness(&app), Ok(()));
    assert_eq!(figure(&app, "farsign_saved_commits_total"), 1.0);
    let kept = figure(&app, "farsign_saved_log_bytes");
    assert!(kept > 0.0);

    disk.fail_after(0);
    assert!(app.coordinator.join(somebody()).await.is_err());
    assert!(running.await.unwrap().is_err(), "it ends with the reason");
    assert_eq!(readiness(&app), Err(Unready::Unsaved));
    assert_eq!(figure(&app, "farsign_saved_commits_total"), 1.0, "what failed is not counted");
    assert_eq!(figure(&app, "farsign_saved_log_bytes"), kept);
}

#[tokio::test]
async fn a_server_that_stops_is_not_ready() {
    let server = server(&Disk::default());
    let app = server.app();
    let listener = edge::listen(([127, 0, 0, 1], 0).into()).unwrap();
    server.run(listener, std::future::ready(())).await.unwrap();
    assert_eq!(readiness(&app), Err(Unready::Stopping));
}
