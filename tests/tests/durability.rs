//! The real server, killed without warning while volunteers work: what they were told was accepted stays accepted.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use farsign::random::Stream;
use farsign_server::volunteer::{self, Tally, VolunteerOptions, WorkerEnd};
use farsign_tests::process::{Server, server_program};
use farsign_tests::saved::{served, show};
use tokio::sync::watch;

/// Times that the server is killed; `FARSIGN_KILLS` says how often.
fn kills() -> u64 {
    std::env::var("FARSIGN_KILLS").map_or(4, |count| count.parse().expect("a number of kills"))
}

/// Runs volunteers while `body` does something; stops them then. Gives how they ended.
fn with_volunteers<T>(url: &str, tally: &Arc<Tally>, body: impl FnOnce() -> T) -> (T, Vec<WorkerEnd>) {
    let (stop, stopping) = watch::channel(false);
    let options = VolunteerOptions::new(url.parse().expect("an address"), 3);
    std::thread::scope(|scope| {
        let fleet = scope.spawn(|| volunteer::run(&options, tally, &stopping, |_, _| {}));
        let done = body();
        stop.send_replace(true);
        (done, fleet.join().expect("no panic").expect("data and threads"))
    })
}

fn nothing_acknowledged_is_lost(rule: &str, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").to_str().unwrap().to_owned();
    // Little is kept, so that checkpoints come and go while the server is killed.
    let mut server = Server::start(&[
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
    let (tally, mut stream) = (Arc::new(Tally::default()), Stream::new(seed));
    for kill in 1..=kills() {
        let more = tally.accepted() + stream.below(200);
        with_volunteers(&url, &tally, || {
            server.wait_until("work", |_| tally.accepted() > more);
            server.kill();
        });
        let acknowledged = tally.accepted();
        let (accepted, parameters) = show(&state);
        let what = format!("seed {seed}, kill {kill}");
        assert!(accepted >= acknowledged, "{what}: {accepted} of {acknowledged} acknowledged ones are there");
        server.start_again();
        assert_eq!(server.status()["accepted"], accepted, "{what}");
        assert_eq!(served(&url), parameters, "{what}: the server resumed another model");
    }
}

#[test]
fn nothing_acknowledged_is_lost_under_verified() {
    nothing_acknowledged_is_lost("verified", 1);
}

#[test]
fn nothing_acknowledged_is_lost_under_vote() {
    nothing_acknowledged_is_lost("vote", 2);
}

/// A limit on the size of files does to the server what a full disk would.
#[cfg(unix)]
#[test]
fn a_server_that_cannot_save_takes_nothing_more_says_goodbye_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").to_str().unwrap().to_owned();
    let (tally, said) = until_the_disk_is_full(&server_program(), &state);
    assert!(tally.accepted() > 0, "some were accepted before");
    assert!(said.contains("could not be read or written") && said.contains("File too large"), "{said}");
    let (accepted, _) = show(&state);
    assert!(accepted >= tally.accepted(), "{accepted} of {} acknowledged", tally.accepted());
}

#[cfg(unix)]
fn until_the_disk_is_full(program: &Path, state: &str) -> (Arc<Tally>, String) {
    // Beyond the limit a write fails instead of ending the process, as the signal is ignored.
    let limited = r#"trap "" XFSZ; ulimit -f 4000; exec "$0" "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", limited]).arg(program).args(["serve", "--listen", "127.0.0.1:0", "--state", state]);
    command.args(["--model", "softmax", "--schedule", "constant"]).stdin(Stdio::null());
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let url = lines.find_map(|line| Some(line.strip_prefix("Open ")?.split_once(' ')?.0.to_owned()));
    let tally = Arc::new(Tally::default());
    let (output, ends) =
        with_volunteers(&url.expect("an address"), &tally, || server.wait_with_output().unwrap());
    assert!(ends.iter().all(|end| *end == WorkerEnd::Stopped), "{ends:?}");
    assert_eq!(output.status.code(), Some(1));
    (tally, String::from_utf8_lossy(&output.stderr).into_owned())
}
