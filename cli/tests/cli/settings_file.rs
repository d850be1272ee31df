//! Settings files, values that TOML cannot express, and addresses to listen on.
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use farsign_server::data::loader::FILE_NAMES;

use crate::farsign::{expect_failure, farsign};
use crate::process::{Started, request, send_signal, start};

fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn print_config(path: &Path) -> Command {
    let mut command = farsign(&["serve", "--print-config", "--config"]);
    command.arg(path);
    command
}

#[test]
fn settings_file_may_be_utf16() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("farsign.toml");
    let text = "\u{feff}# grün\r\nbatch = 64\r\n";
    let units = || text.encode_utf16();
    for bytes in [
        units().flat_map(u16::to_le_bytes).collect(),
        units().flat_map(u16::to_be_bytes).collect(),
        text.as_bytes().to_vec(),
    ] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(stdout(&mut print_config(&path)), "batch = 64\n");
    }
    fs::write(&path, b"batch = 64 # gr\xfcn\n").unwrap();
    let stderr = expect_failure(&mut print_config(&path));
    assert!(
        stderr.contains("farsign.toml") && stderr.contains("byte 0xfc in line 1, column 16"),
        "{stderr}"
    );
}

#[test]
fn settings_are_read_from_input() {
    let mut command = print_config(Path::new("-"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"batch = 64\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"batch = 64\n");
}

#[test]
fn large_seed_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("farsign.toml");
    let seed = u64::MAX.to_string();
    let printed = stdout(&mut farsign(&["serve", "--seed", &seed, "--print-config"]));
    fs::write(&path, &printed).unwrap();
    assert_eq!(stdout(&mut print_config(&path)), printed);
    let mut server = start(
        farsign(&["serve", "--listen", "127.0.0.1:0", "--model", "softmax"])
            .arg("--config")
            .arg(&path)
            .stderr(Stdio::null()),
    );
    stop(&mut server);
    assert!(server.output.contains(&format!("(seed {seed})")));
}

fn stop(server: &mut Started) {
    send_signal(&server.child, "INT");
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn data_path_may_be_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join(OsStr::from_bytes(b"daten-\xfc"));
    fs::create_dir(&data).unwrap();
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/mnist-10k");
    for name in FILE_NAMES {
        let name = format!("{name}.gz");
        fs::copy(built_in.join(&name), data.join(name)).unwrap();
    }
    let printed = stdout(farsign(&["serve", "--print-config", "--data"]).arg(&data));
    let config = folder.path().join("farsign.toml");
    fs::write(&config, &printed).unwrap();
    assert_eq!(stdout(&mut print_config(&config)), printed);

    let state = folder.path().join(OsStr::from_bytes(b"run-\xff"));
    for is_first in [true, false] {
        let mut serve = farsign(&["serve", "--listen", "127.0.0.1:0", "--model", "softmax"]);
        serve.arg("--state").arg(&state).stderr(Stdio::null());
        if is_first {
            serve.arg("--data").arg(&data);
        }
        stop(&mut start(&mut serve));
    }
    let show = stdout(farsign(&["run", "show", "--state"]).arg(&state));
    assert!(show.contains("accepted    0"), "{show}");
}

fn listen(address: &str) -> Started {
    start(farsign(&["serve", "--model", "softmax", "--listen", address]).stderr(Stdio::null()))
}

/// Returns the rest of the standard output of a server, which it stops.
fn rest_of(mut server: Started) -> String {
    stop(&mut server);
    std::io::read_to_string(server.rest).unwrap()
}

#[test]
fn all_addresses_have_local_url() {
    let mut cases = vec![("0.0.0.0:0", "http://127.0.0.1:")];
    if TcpListener::bind("[::1]:0").is_ok() {
        cases.push(("[::]:0", "http://[::1]:"));
    }
    for (address, url) in cases {
        let server = listen(address);
        assert!(server.url.starts_with(url), "{}", server.url);
        let response = request(&server.url, "GET", "/healthz", "", "");
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        let rest = rest_of(server);
        assert!(rest.contains("listens on all addresses"), "{rest}");
    }
}

#[test]
fn name_is_listened_on() {
    let server = listen("localhost:0");
    let authority = server.url.strip_prefix("http://localhost:").unwrap();
    let port: u16 = authority.parse().unwrap();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    let rest = rest_of(server);
    assert!(!rest.contains("all addresses"), "{rest}");

    let stderr = farsign(&["serve", "--listen", "localhost"]).output();
    let stderr = String::from_utf8(stderr.unwrap().stderr).unwrap();
    assert!(stderr.contains("expected HOST:PORT"), "{stderr}");
}
