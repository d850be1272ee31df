//! Readiness of servers that fail to save or stop.

use farsign_server::Server;
use farsign_server::config::settings::RuleKind;
use farsign_server::http::health::{NotReady, readiness};
use farsign_server::http::metrics;
use farsign_server::net::listen_sockets;
use farsign_server::state::AppState;

use crate::coordinator::{Fixture, join_request};
use crate::disk::Disk;

/// Creates a server that saves on this disk.
fn server(disk: &Disk) -> Server {
    let fixture = Fixture::new(RuleKind::Plain);
    let saved = fixture.begin(disk).unwrap();
    Server::resume(fixture.config, fixture.data, Some(saved)).unwrap()
}

fn metric(state: &AppState, name: &str) -> f64 {
    let text = metrics::render(state);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn write_failure_makes_server_unready() {
    let disk = Disk::default();
    let server = server(&disk);
    let state = server.state();
    let socket = listen_sockets::bind(&([127, 0, 0, 1], 0).into()).unwrap();
    let running = tokio::spawn(server.run(socket, std::future::pending()));
    assert!(state.gateway.join(join_request()).await.unwrap().is_some());
    assert_eq!(readiness(&state), Ok(()));
    assert_eq!(metric(&state, "farsign_journal_commits_total"), 1.0);
    let bytes = metric(&state, "farsign_journal_bytes");
    assert!(bytes > 0.0);

    disk.fail_after(0);
    assert!(state.gateway.join(join_request()).await.is_err());
    assert!(running.await.unwrap().is_err(), "it ends with the error");
    assert_eq!(readiness(&state), Err(NotReady::Unsaved));
    assert_eq!(
        metric(&state, "farsign_journal_commits_total"),
        1.0,
        "failed batches are not counted"
    );
    assert_eq!(metric(&state, "farsign_journal_bytes"), bytes);
}

#[tokio::test]
async fn stopping_server_is_unready() {
    let server = server(&Disk::default());
    let state = server.state();
    let socket = listen_sockets::bind(&([127, 0, 0, 1], 0).into()).unwrap();
    server.run(socket, std::future::ready(())).await.unwrap();
    assert_eq!(readiness(&state), Err(NotReady::Stopping));
}
