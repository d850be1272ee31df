//! Signals that stop the program.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use crate::farsign::farsign;
use crate::process::{request, send_signal, start};

const SERVE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--model", "softmax"];

/// Returns the signals that stop programs.
///
/// Programs leave a signal ignored that was ignored when they started, as SIGHUP is under `nohup` and SIGINT in a shell's
/// background.
fn signals() -> Vec<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default();
    [("INT", 2), ("TERM", 15), ("HUP", 1)]
        .into_iter()
        .filter(|(_, number)| ignored >> (number - 1) & 1 == 0)
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn every_signal_stops_server() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("run");
    let state = ["--state", state.to_str().unwrap()];
    for signal in signals() {
        for state in [&[][..], &state] {
            let mut server = start(farsign(&SERVE).args(state).stderr(Stdio::piped()));
            send_signal(&server.child, signal);
            let mut stderr = String::new();
            let mut errors = server.child.stderr.take().unwrap();
            errors.read_to_string(&mut stderr).unwrap();
            assert_eq!(server.child.wait().unwrap().code(), Some(0), "{signal}");
            assert!(stderr.contains("Stopped. accepted "), "{signal}: {stderr}");
        }
    }
}

#[test]
fn ignored_hangup_stays_ignored() {
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_farsign"))
        .args(SERVE)
        .stderr(Stdio::null());
    let mut server = start(&mut command);
    send_signal(&server.child, "HUP");
    let response = request(&server.url, "GET", "/healthz", "", "");
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    send_signal(&server.child, "TERM");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn every_signal_ends_volunteer_with_summary() {
    let endless = ["--schedule", "constant"];
    let mut server = start(farsign(&SERVE).args(endless).stderr(Stdio::null()));
    for signal in signals() {
        let mut volunteer = farsign(&["volunteer", "--url", &server.url])
            .env("FARSIGN_LOG", "debug")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(volunteer.stderr.take().unwrap());
        wait_for(&mut errors, "worker joined");
        send_signal(&volunteer, signal);
        _ = std::io::copy(&mut errors, &mut std::io::sink());
        let output = volunteer.wait_with_output().unwrap();
        let summary = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{signal}: {summary}");
        assert!(
            summary.contains(" updates accepted, "),
            "{signal}: {summary}"
        );
    }
    send_signal(&server.child, "INT");
    server.child.wait().unwrap();
}

fn wait_for(lines: &mut impl BufRead, text: &str) {
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "no {text:?}");
    }
}

/// A server that accepts a connection and never responds.
fn silent_server() -> std::net::TcpListener {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn signal_ends_volunteer_during_download() {
    let silent = silent_server();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let volunteer = farsign(&["volunteer", "--url", &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _download = silent.accept().unwrap();
    send_signal(&volunteer, "TERM");
    let output = volunteer.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "0 updates accepted, 0 rejected.\n0 B sent and received.\n"
    );
}

#[test]
fn signal_ends_export() {
    let numbers = [("INT", 2), ("TERM", 15), ("HUP", 1)];
    for (signal, number) in numbers
        .into_iter()
        .filter(|(name, _)| signals().contains(name))
    {
        let silent = silent_server();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let mut export = farsign(&["model", "export", "--url", &url, "--out", "unused"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _download = silent.accept().unwrap();
        send_signal(&export, signal);
        assert_eq!(export.wait().unwrap().signal(), Some(number));
    }
}
