//! Durability: acknowledged updates survive a kill of the server and a full disk.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use farsign::random::Stream;
use farsign_tests::server_process::{ServerProcess, server_program};
use farsign_tests::state_dir::{published_parameters, show_run};
use farsign_volunteer::{FleetOptions, FleetStats, WorkerExit, run_fleet};
use tokio::sync::watch;

/// Returns how often the server is killed, from `FARSIGN_KILLS`.
fn kills() -> u64 {
    std::env::var("FARSIGN_KILLS").map_or(4, |count| count.parse().expect("a number"))
}

/// Runs volunteers while `body` runs, and returns its result and the exits of the workers.
fn with_volunteers<T>(
    url: &str,
    stats: &Arc<FleetStats>,
    body: impl FnOnce() -> T,
) -> (T, Vec<WorkerExit>) {
    let (stop, stopping) = watch::channel(false);
    let options = FleetOptions::new(url.parse().expect("a server URL"), 3);
    std::thread::scope(|scope| {
        let fleet = scope.spawn(|| run_fleet(&options, stats, &stopping, |_, _| {}));
        let result = body();
        stop.send_replace(true);
        (result, fleet.join().expect("no panic").expect("a fleet"))
    })
}

fn assert_acknowledged_updates_survive(rule: &str, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").to_str().unwrap().to_owned();
    // A low retention limit makes the server create and delete checkpoints between the kills.
    let mut server = ServerProcess::start(&[
        "--state",
        &state,
        "--model",
        "softmax",
        "--rule",
        rule,
        "--schedule",
        "constant",
        "--checkpoint-every",
        "40",
        "--state-retention-bytes",
        "400000",
    ]);
    let url = format!("http://{}", server.address());
    let stats = Arc::new(FleetStats::default());
    let mut stream = Stream::new(seed);
    for kill in 1..=kills() {
        let target = stats.accepted() + stream.below(200);
        with_volunteers(&url, &stats, || {
            server.wait_until("accepted updates", |_| stats.accepted() > target);
            server.kill();
        });
        let acknowledged = stats.accepted();
        let (accepted, parameters) = show_run(&state);
        let label = format!("seed {seed}, kill {kill}");
        assert!(
            accepted >= acknowledged,
            "{label}: {accepted} of {acknowledged} acknowledged updates survived"
        );
        server.restart();
        assert_eq!(server.status()["accepted"], accepted, "{label}");
        assert_eq!(
            published_parameters(&url),
            parameters,
            "{label}: the server resumed another model"
        );
    }
}

#[test]
fn kill_loses_no_update_under_verified() {
    assert_acknowledged_updates_survive("verified", 1);
}

#[test]
fn kill_loses_no_update_under_vote() {
    assert_acknowledged_updates_survive("vote", 2);
}

/// A limit on the file size has the same effect on the server as a full disk.
#[cfg(unix)]
#[test]
fn write_failure_stops_server() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").to_str().unwrap().to_owned();
    let (stats, stderr) = run_until_disk_is_full(&server_program(), &state);
    assert!(
        stats.accepted() > 0,
        "updates were accepted before the disk was full"
    );
    assert!(
        stderr.contains("could not be read or written") && stderr.contains("File too large"),
        "{stderr}"
    );
    let (accepted, _) = show_run(&state);
    assert!(
        accepted >= stats.accepted(),
        "{accepted} of {} acknowledged",
        stats.accepted()
    );
}

/// Runs a server until it fails to write, and returns the statistics of its volunteers and its standard error.
#[cfg(unix)]
fn run_until_disk_is_full(program: &Path, state: &str) -> (Arc<FleetStats>, String) {
    // The ignored signal makes writes beyond the limit fail instead of ending the process.
    let limited = r#"trap "" XFSZ; ulimit -f 4000; exec "$0" "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", limited]).arg(program).args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--state",
        state,
    ]);
    command
        .args(["--model", "softmax", "--schedule", "constant"])
        .stdin(Stdio::null());
    let mut server = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let url =
        lines.find_map(|line| Some(line.strip_prefix("Open ")?.split_once(' ')?.0.to_owned()));
    let stats = Arc::new(FleetStats::default());
    let (output, exits) = with_volunteers(&url.expect("a URL"), &stats, || {
        server.wait_with_output().unwrap()
    });
    assert!(
        exits.iter().all(|exit| *exit == WorkerExit::Stopped),
        "{exits:?}"
    );
    assert_eq!(output.status.code(), Some(1));
    (stats, String::from_utf8_lossy(&output.stderr).into_owned())
}
