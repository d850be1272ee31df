//! The program as a host meets it: what it prints, what it refuses and how it ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

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

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_server_cleanly() {
    let mut command = farsign(&["serve", "--listen", "127.0.0.1:0", "--model", "softmax"]);
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("Open http://127.0.0.1:")), "the address is printed");
    let interrupted = Command::new("kill").args(["-INT", &server.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let output = server.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("Stopped. accepted 0"), "{said}");
}
