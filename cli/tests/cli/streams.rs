//! Streams that are closed or full, colours, and causes of errors.
#![cfg(unix)]

use std::fs::{self, OpenOptions};
use std::io::pipe;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::farsign::{expect_failure, farsign};
use crate::process::{send_signal, start};

const SERVE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--model", "softmax"];

#[test]
fn closed_streams_do_not_stop_server() {
    for format in ["text", "json"] {
        let (errors, writer) = pipe().unwrap();
        let mut server = start(
            farsign(&SERVE)
                .args(["--horizon", "3", "--log-format", format])
                .env("FARSIGN_LOG", "debug")
                .stderr(writer),
        );
        drop((errors, server.rest));
        let volunteer = farsign(&["volunteer", "--url", &server.url]).output();
        assert!(volunteer.unwrap().status.success());
        send_signal(&server.child, "INT");
        assert_eq!(server.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn closed_streams_do_not_stop_volunteer() {
    let mut server = start(
        farsign(&SERVE)
            .args(["--horizon", "3"])
            .stderr(Stdio::null()),
    );
    let closed = || pipe().unwrap().1; // its reader is dropped
    let status = farsign(&["volunteer", "--url", &server.url])
        .stdout(closed())
        .stderr(closed())
        .status();
    assert_eq!(status.unwrap().code(), Some(0));
    send_signal(&server.child, "INT");
    assert!(server.child.wait().unwrap().success());
}

fn print_config() -> Command {
    farsign(&["serve", "--batch", "64", "--print-config"])
}

#[test]
fn broken_pipe_is_no_error() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let child = print_config().stdout(writer).stderr(Stdio::piped()).spawn();
    let output = child.unwrap().wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
}

#[test]
fn full_output_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let child = print_config().stdout(full).stderr(Stdio::piped()).spawn();
    let output = child.unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("could not write to standard output"));
}

#[test]
fn log_file_has_no_colors() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["text", "json"] {
        let path = folder.path().join(format);
        let mut server = start(
            farsign(&SERVE)
                .args(["--log-format", format])
                .env("FARSIGN_LOG", "debug")
                .stderr(fs::File::create(&path).unwrap()),
        );
        send_signal(&server.child, "INT");
        server.child.wait().unwrap();
        let log = fs::read_to_string(&path).unwrap();
        assert!(
            log.contains("server started") && !log.contains('\x1b'),
            "{log}"
        );
    }
}

#[test]
fn terminal_log_respects_no_color() {
    // `script` runs a command on a terminal of its own.
    let Ok(version) = Command::new("script").arg("--version").output() else {
        println!("skipped: there is no `script`");
        return;
    };
    assert!(version.status.success());
    let log = |no_color: &str, term: &str| {
        let serve = SERVE.iter().copied().chain(["--horizon", "3"]);
        let mut server = start(farsign(&serve.collect::<Vec<_>>()).stderr(Stdio::null()));
        let program = env!("CARGO_BIN_EXE_farsign");
        let volunteer = format!("{program} volunteer --url {}", server.url);
        let output = Command::new("script")
            .args(["-qec", &volunteer, "/dev/null"])
            .env("FARSIGN_LOG", "debug")
            .env("NO_COLOR", no_color)
            .env("TERM", term)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        send_signal(&server.child, "INT");
        assert!(server.child.wait().unwrap().success());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("worker joined"), "{text}");
        text
    };
    let blue = "\x1b[34m"; // the level
    assert!(log("", "xterm").contains(blue));
    assert!(!log("1", "xterm").contains(blue));
    assert!(!log("", "dumb").contains('\x1b'));
}

#[test]
fn causes_are_printed_once() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below_file = file.join("folder");
    let below_file = below_file.to_str().unwrap();
    for (arguments, cause) in [
        (
            &["model", "export", "--out", "x", "--url", &url][..],
            "refused",
        ),
        (&["serve", "--state", below_file], "Not a directory"),
        (
            &["data", "fetch", "--folder", below_file],
            "Not a directory",
        ),
        (&["serve", "--config", below_file], "Not a directory"),
        (
            &["serve", "--listen", "192.0.2.1:0"],
            "assign requested address",
        ),
        (
            &["serve", "--tls-cert", below_file, "--tls-key", below_file],
            "Not a directory",
        ),
    ] {
        let stderr = expect_failure(farsign(arguments).current_dir(folder.path()));
        assert_eq!(stderr.matches(cause).count(), 1, "{arguments:?}: {stderr}");
    }
}
