//! The program as a host meets it: what it prints, what it refuses and how it ends.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

fn farsign(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farsign"));
    let settings = std::env::vars_os().map(|(name, _)| name);
    settings.filter(|name| name.to_string_lossy().starts_with("FARSIGN_")).for_each(|name| {
        command.env_remove(name);
    });
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command that must fail; gives what it says.
fn refused(command: &mut Command) -> String {
    let Output { status, stderr, stdout } = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!status.success(), "expected a failure; it said {said} and {}", String::from_utf8_lossy(&stdout));
    said
}

#[test]
fn every_mistake_of_the_flags_and_the_environment_is_told_at_once() {
    let said = refused(farsign(&["serve", "--beta", "2", "--horizon", "0"]).env("FARSIGN_BATCH", "0"));
    for mistake in
        ["3 mistakes", "beta: expected", "found 2", "horizon: expected", "batch: expected 1 to 65536 images"]
    {
        assert!(said.contains(mistake), "no {mistake:?} in {said}");
    }
}

#[test]
fn every_mistake_of_a_file_is_told_at_once_and_flags_win_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("farsign.toml");
    fs::write(&path, "batch = \"many\"\nmodle = \"mlp\"\n").unwrap();
    let path = path.to_str().unwrap();
    let said = refused(&mut farsign(&["serve", "--config", path]));
    assert!(said.contains("batch: invalid type") && said.contains("modle: unknown field"), "{said}");

    fs::write(path, "batch = 64\nbeta = 0.5\n").unwrap();
    let printed = farsign(&["serve", "--config", path, "--batch", "32", "--print-config"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&printed.stdout), "batch = 32\nbeta = 0.5\n");
}

#[test]
fn data_that_is_missing_or_broken_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let said = refused(&mut farsign(&["serve", "--data", path]));
    assert!(said.contains("no train-images-idx3-ubyte") && said.contains("farsign data fetch"), "{said}");

    for name in farsign_server::dataset_source::FILE_NAMES {
        fs::write(folder.path().join(name), b"not an IDX file at all").unwrap();
    }
    let said = refused(&mut farsign(&["serve", "--data", path]));
    assert!(said.contains("train-images-idx3-ubyte") && said.contains("at byte 0"), "{said}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(&mut farsign(&["serve", "--listen", &address]));
    assert!(said.contains(&format!("could not listen on {address}")), "{said}");
}

#[test]
fn a_volunteer_says_when_no_server_is_there() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = refused(&mut farsign(&["volunteer", "--url", &format!("http://{free}")]));
    assert!(said.contains("is the server running?"), "{said}");
    let said = refused(&mut farsign(&["volunteer", "--url", "nonsense"]));
    assert!(said.contains("expected an address like http://127.0.0.1:8080"), "{said}");
}

/// A server on a free port, and what it says on standard error. That goes to a file: a pipe would fill up.
struct Server {
    child: Child,
    errors: File,
}

/// Starts a server; gives its address too.
fn serve(command: &mut Command) -> (Server, String) {
    let errors = tempfile::tempfile().unwrap();
    command.stdout(Stdio::piped()).stderr(errors.try_clone().unwrap());
    let mut server = command.spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|line| Some(line.strip_prefix("Open ")?.split_once(' ')?.0.to_owned()));
    (Server { child: server, errors }, address.expect("the address is printed"))
}

/// Interrupts a server; gives what it has said on standard error.
fn interrupt(Server { mut child, mut errors }: Server) -> String {
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let status = child.wait().unwrap();
    let mut said = String::new();
    errors.rewind().unwrap();
    errors.read_to_string(&mut said).unwrap();
    assert!(status.success(), "{said}");
    said
}

const SMALL: [&str; 9] =
    ["serve", "--listen", "127.0.0.1:0", "--model", "softmax", "--horizon", "3", "--batch", "1"];

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_server_cleanly_and_the_log_is_silent_unless_asked_for() {
    let (server, address) = serve(&mut farsign(&SMALL));
    assert!(farsign(&["volunteer", "--url", &address]).output().unwrap().status.success());
    let said = interrupt(server);
    assert!(said.contains("Stopped. accepted "), "{said}");
    assert!(!said.contains("event"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_log_for_programs_has_an_object_a_line_with_who_came_and_went_and_no_secrets() {
    let (join, admin) = ("the-join-token", "the admin token of a test");
    let folder = tempfile::tempdir().unwrap();
    let identity = folder.path().join("identity");
    let identity = identity.to_str().unwrap();
    let tokens = ["--log-format", "json", "--join-token", join, "--admin-token", admin];
    let (server, address) = serve(farsign(&SMALL).args(tokens).env("FARSIGN_LOG", "debug"));
    let wrong = farsign(&["volunteer", "--url", &address, "--join-token", "guessed-token"]).output().unwrap();
    assert!(!wrong.status.success(), "the wrong token is refused");
    let volunteer = ["volunteer", "--url", &address, "--join-token", join, "--identity", identity];
    assert!(farsign(&volunteer).output().unwrap().status.success());
    let said = interrupt(server);

    let secret = fs::read_to_string(identity).unwrap();
    for secret in [join, admin, "guessed-token", secret.trim()] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    let lines: Vec<Value> = said.lines().map(parse).collect();
    let find = |event: &str| {
        lines.iter().find(|line| line["event"] == event).unwrap_or_else(|| panic!("no {event} in {said}"))
    };
    ["started", "finished", "stopping", "stopped"].iter().for_each(|event| _ = find(event));
    assert_eq!(find("refused")["reason"], "token_wrong");
    let (joined, left) = (find("joined"), find("left"));
    assert_eq!((&joined["address"], &joined["level"]), (&"127.0.0.1".into(), &"INFO".into()));
    assert!(joined["identity"].as_str().is_some_and(|hash| hash.len() == 32), "{joined}");
    assert_eq!((&left["volunteer"], &left["reason"]), (&joined["volunteer"], &"run_finished".into()));
}

#[test]
fn a_level_that_is_none_and_a_format_that_is_none_are_named() {
    let said = refused(farsign(&["serve"]).env("FARSIGN_LOG", "farsign=loud"));
    assert!(said.contains("FARSIGN_LOG: expected a level") && said.contains("farsign=loud"), "{said}");
    let said = refused(&mut farsign(&["serve", "--log-format", "xml"]));
    assert!(said.contains("xml") && said.contains("json"), "{said}");
    let said = refused(&mut farsign(&["serve", "--log-format", "json", "--beta", "2"]));
    let last: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert!(last["event"] == "failed" && last["error"].to_string().contains("beta: expected"), "{said}");
}
