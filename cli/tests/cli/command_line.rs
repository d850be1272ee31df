//! `farsign serve` and `farsign volunteer`: errors, logs and signals.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use farsign_server::data::loader::FILE_NAMES;
use serde_json::Value;

use crate::farsign::{expect_failure, farsign};

#[test]
fn invalid_settings_are_reported_together() {
    let stderr = expect_failure(
        farsign(&["serve", "--beta", "2", "--horizon", "0"]).env("FARSIGN_BATCH", "0"),
    );
    let errors = [
        "3 errors in the configuration",
        "beta: expected",
        "found 2",
        "horizon: expected",
        "batch: expected 1 to 65536 images",
    ];
    for error in errors {
        assert!(stderr.contains(error), "no {error:?} in {stderr}");
    }
}

#[test]
fn invalid_config_file_reports_all_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("farsign.toml");
    fs::write(&path, "batch = \"many\"\nmodle = \"mlp\"\n").unwrap();
    let stderr = expect_failure(&mut farsign(&["serve", "--config", path.to_str().unwrap()]));
    assert!(
        stderr.contains("batch: invalid type") && stderr.contains("modle: unknown field"),
        "{stderr}"
    );
}

#[test]
fn flags_override_config_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("farsign.toml");
    fs::write(&path, "batch = 64\nbeta = 0.5\n").unwrap();
    let path = path.to_str().unwrap();
    let printed = farsign(&["serve", "--config", path, "--batch", "32", "--print-config"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&printed.stdout),
        "batch = 32\nbeta = 0.5\n"
    );
}

#[test]
fn invalid_data_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let stderr = expect_failure(&mut farsign(&["serve", "--data", path]));
    assert!(
        stderr.contains("no train-images-idx3-ubyte") && stderr.contains("farsign data fetch"),
        "{stderr}"
    );

    for name in FILE_NAMES {
        fs::write(folder.path().join(name), b"not an IDX file at all").unwrap();
    }
    let stderr = expect_failure(&mut farsign(&["serve", "--data", path]));
    assert!(
        stderr.contains("train-images-idx3-ubyte: expected IDX images, found text that begins with \"not an IDX file"),
        "{stderr}"
    );
}

#[test]
fn occupied_port_is_an_error() {
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    let stderr = expect_failure(&mut farsign(&["serve", "--listen", &address]));
    assert!(
        stderr.contains(&format!("could not listen on {address}")),
        "{stderr}"
    );
}

#[cfg(unix)]
#[test]
fn volunteer_waits_for_its_server() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}");
    let mut volunteer = farsign(&["volunteer", "--url", &url]);
    let mut volunteer = volunteer.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(volunteer.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let line = lines.find(|line| line.contains("retrying in"));
    let line = line.expect("the volunteer waits");
    assert!(line.contains("is the server running?"), "{line}");
    let listen = free.to_string();
    let small = SMALL.map(|argument| match argument {
        "127.0.0.1:0" => listen.as_str(),
        other => other,
    });
    let (server, _) = serve(&mut farsign(&small));
    let forwarded = std::thread::spawn(move || lines.for_each(drop));
    assert!(volunteer.wait().unwrap().success());
    forwarded.join().unwrap();
    interrupt(server);
}

#[test]
fn invalid_server_url_is_an_error() {
    let Output { status, stderr, .. } = farsign(&["volunteer", "--url", "nonsense"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(
        !status.success() && stderr.contains("expected an address like http://127.0.0.1:8080"),
        "{stderr}"
    );
}

/// A server on a free port. Its standard error goes to a file, because a pipe would fill up.
pub struct Server {
    child: Child,
    errors: File,
}

/// Starts a server, and returns its URL too.
pub fn serve(command: &mut Command) -> (Server, String) {
    let errors = tempfile::tempfile().unwrap();
    command
        .stdout(Stdio::piped())
        .stderr(errors.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let url =
        lines.find_map(|line| Some(line.strip_prefix("Open ")?.split_once(' ')?.0.to_owned()));
    (Server { child, errors }, url.expect("the URL is printed"))
}

/// Sends SIGINT to a server, and returns its standard error.
pub fn interrupt(
    Server {
        mut child,
        mut errors,
    }: Server,
) -> String {
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    errors.rewind().unwrap();
    errors.read_to_string(&mut stderr).unwrap();
    assert!(status.success(), "{stderr}");
    stderr
}

/// Arguments of a server with a short run on a free port.
pub const SMALL: [&str; 9] = [
    "serve",
    "--listen",
    "127.0.0.1:0",
    "--model",
    "softmax",
    "--horizon",
    "3",
    "--batch",
    "1",
];

#[cfg(unix)]
#[test]
fn sigint_exits_cleanly_without_log() {
    let (server, url) = serve(&mut farsign(&SMALL));
    assert!(
        farsign(&["volunteer", "--url", &url])
            .output()
            .unwrap()
            .status
            .success()
    );
    let stderr = interrupt(server);
    assert!(stderr.contains("Stopped. accepted "), "{stderr}");
    assert!(
        !stderr.contains("event"),
        "the log is off by default: {stderr}"
    );
}

#[cfg(unix)]
#[test]
fn json_log_contains_no_secrets() {
    let join_token = "the-join-token";
    let admin_token = "the admin token of a test";
    let folder = tempfile::tempdir().unwrap();
    let identity = folder.path().join("identity");
    let identity = identity.to_str().unwrap();
    let options = [
        "--log-format",
        "json",
        "--join-token",
        join_token,
        "--admin-token",
        admin_token,
    ];
    let (server, url) = serve(farsign(&SMALL).args(options).env("FARSIGN_LOG", "debug"));
    let guess = farsign(&["volunteer", "--url", &url, "--join-token", "guessed-token"])
        .output()
        .unwrap();
    assert!(!guess.status.success(), "a wrong token is rejected");
    let volunteer = [
        "volunteer",
        "--url",
        &url,
        "--join-token",
        join_token,
        "--identity",
        identity,
    ];
    assert!(farsign(&volunteer).output().unwrap().status.success());
    let stderr = interrupt(server);

    let secret = fs::read_to_string(identity).unwrap();
    for secret in [join_token, admin_token, "guessed-token", secret.trim()] {
        assert!(!stderr.contains(secret), "{secret} in {stderr}");
    }
    let parse = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|_| panic!("expected JSON, found {line}"))
    };
    let lines: Vec<Value> = stderr.lines().map(parse).collect();
    let find = |event: &str| {
        lines
            .iter()
            .find(|line| line["event"] == event)
            .unwrap_or_else(|| panic!("no {event} in {stderr}"))
    };
    ["started", "finished", "stopping", "stopped"]
        .iter()
        .for_each(|event| _ = find(event));
    assert_eq!(find("refused")["reason"], "invalid_token");
    let joined = find("joined");
    let left = find("left");
    assert_eq!(
        (&joined["address"], &joined["level"]),
        (&"127.0.0.1".into(), &"INFO".into())
    );
    assert!(
        joined["identity"]
            .as_str()
            .is_some_and(|hash| hash.len() == 32),
        "{joined}"
    );
    assert_eq!(
        (&left["volunteer"], &left["reason"]),
        (&joined["volunteer"], &"run_finished".into())
    );
}

#[test]
fn invalid_log_level_is_an_error() {
    let stderr = expect_failure(farsign(&["serve"]).env("FARSIGN_LOG", "farsign=loud"));
    assert!(
        stderr.contains("FARSIGN_LOG: expected a level") && stderr.contains("farsign=loud"),
        "{stderr}"
    );
}

#[test]
fn invalid_log_format_is_an_error() {
    let Output { status, stderr, .. } =
        farsign(&["serve", "--log-format", "xml"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(
        !status.success() && stderr.contains("xml") && stderr.contains("json"),
        "{stderr}"
    );
}

#[test]
fn json_log_has_failure_event() {
    let stderr = expect_failure(&mut farsign(&[
        "serve",
        "--log-format",
        "json",
        "--beta",
        "2",
    ]));
    let last: Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    assert!(
        last["event"] == "failed" && last["error"].to_string().contains("beta: expected"),
        "{stderr}"
    );
}
