//! Files that commands write.
#![cfg(unix)]

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use safetensors::tensor::SafeTensors;
use tempfile::TempDir;

use crate::farsign::{expect_failure, farsign};
use crate::process::{request, send_signal, start};

/// Returns a folder with a saved run.
fn saved_run() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = farsign(&["serve", "--listen", "127.0.0.1:0", "--model", "softmax"]);
    serve.arg("--state").arg(folder.path().join("run"));
    let mut server = start(serve.stderr(Stdio::null()));
    send_signal(&server.child, "INT");
    assert!(server.child.wait().unwrap().success());
    folder
}

fn export(folder: &Path, out: &str) -> Command {
    let mut command = farsign(&["model", "export", "--state", "run", "--out", out]);
    command.current_dir(folder);
    command
}

fn export_to(folder: &Path, out: &str) -> Vec<u8> {
    let Output { status, stderr, .. } = export(folder, out).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    fs::read(folder.join(out)).unwrap()
}

#[test]
fn exports_are_equal() {
    let folder = saved_run();
    let first = export_to(folder.path(), "first");
    SafeTensors::deserialize(&first).unwrap();
    assert!((0..3).all(|_| export_to(folder.path(), "again") == first));
}

#[test]
fn export_writes_to_standard_output() {
    let folder = saved_run();
    let expected = export_to(folder.path(), "file");
    for out in ["-", "/dev/stdout", "/dev/fd/1"] {
        let Output {
            status,
            stdout,
            stderr,
        } = export(folder.path(), out).output().unwrap();
        assert!(status.success());
        assert!(stdout == expected, "{out}: {} bytes", stdout.len());
        let report = format!("standard output: {} bytes\n", expected.len());
        assert_eq!(String::from_utf8_lossy(&stderr), report);
    }
    assert!(!folder.path().join("-").exists());
}

#[test]
fn export_appends_to_redirected_output() {
    let folder = saved_run();
    let expected = export_to(folder.path(), "file");
    let path = folder.path().join("all");
    fs::write(&path, b"before").unwrap();
    let all = OpenOptions::new().append(true).open(&path).unwrap();
    let mut export = export(folder.path(), "/dev/stdout");
    let status = export.stdout(all).stderr(Stdio::null()).status();
    assert!(status.unwrap().success());
    assert!(fs::read(&path).unwrap() == [b"before", &expected[..]].concat());
}

#[test]
fn full_output_device_fails_export() {
    let folder = saved_run();
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let stderr = expect_stderr(export(folder.path(), "-").stdout(full()));
    assert!(
        stderr.contains("could not write to standard output: No space left"),
        "{stderr}"
    );
    symlink("/dev/full", folder.path().join("link")).unwrap();
    let stderr = expect_failure(&mut export(folder.path(), "link"));
    assert!(
        stderr.contains("could not write link: No space"),
        "{stderr}"
    );
}

/// Runs a command that must fail and whose standard output is not captured.
fn expect_stderr(command: &mut Command) -> String {
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert_eq!(status.code(), Some(1));
    String::from_utf8_lossy(&stderr).into_owned()
}

#[test]
fn export_keeps_link_and_mode() {
    let folder = saved_run();
    let expected = export_to(folder.path(), "file");
    let private = folder.path().join("private");
    File::create(&private).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("private", folder.path().join("link")).unwrap();
    assert!(export_to(folder.path(), "link") == expected);
    let metadata = fs::symlink_metadata(&private).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert!(
        fs::symlink_metadata(folder.path().join("link"))
            .unwrap()
            .is_symlink()
    );
}

const TOKEN: &str = "the-admin-token-of-a-test";

#[test]
fn mounted_ban_file_keeps_bans() {
    let is_possible = Command::new("unshare")
        .args(["-rm", "true"])
        .status()
        .is_ok_and(|status| status.success());
    if !is_possible {
        println!("skipped: this system does not permit mounts");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bans = folder.path().join("bans");
    File::create(&bans).unwrap();
    let mut command = Command::new("unshare");
    command
        .args([
            "-rm",
            "sh",
            "-c",
            "mount --bind \"$0\" \"$0\" && exec \"$@\"",
        ])
        .arg(&bans)
        .arg(env!("CARGO_BIN_EXE_farsign"))
        .args(["serve", "--listen", "127.0.0.1:0", "--model", "softmax"])
        .args(["--admin-token", TOKEN, "--ban-file"])
        .arg(&bans)
        .stderr(Stdio::null());
    let mut server = start(&mut command);
    for ban in ["address 192.0.2.1", "address 192.0.2.2"] {
        let response = request(&server.url, "POST", "/api/v1/admin/bans", TOKEN, ban);
        assert!(response.starts_with("HTTP/1.1 204"), "{response}");
    }
    assert_eq!(
        fs::read_to_string(&bans).unwrap(),
        "address 192.0.2.1\naddress 192.0.2.2\n"
    );
    send_signal(&server.child, "INT");
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn dash_is_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["data", "fetch", "--folder", "-"][..],
        &["serve", "--state", "-"],
        &["serve", "--ban-file", "-"],
        &[
            "volunteer",
            "--url",
            "http://127.0.0.1:1",
            "--identity",
            "-",
        ],
    ] {
        let output = farsign(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(stderr.contains("expected a path"), "{stderr}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
