//! `farsign serve --state`, `farsign run` and `farsign model export`.
#![cfg(unix)]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use safetensors::tensor::SafeTensors;

use crate::farsign::{expect_failure, farsign};

pub fn serve(state: &Path, arguments: &[&str]) -> Command {
    let mut command = farsign(&["serve", "--listen", "127.0.0.1:0", "--state"]);
    command.arg(state).args(arguments);
    command
}

/// Starts a server, and returns its standard output up to its URL.
pub fn start(command: &mut Command) -> (Child, String) {
    let mut server = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = String::new();
    for line in BufReader::new(server.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
    {
        output.extend([line.as_str(), "\n"]);
        if line.starts_with("Open http://") {
            return (server, output);
        }
    }
    panic!(
        "the server did not start: {output}{:?}",
        server.wait_with_output()
    );
}

/// Stops a server with SIGINT, and returns its standard error.
pub fn stop(server: Child) -> String {
    let kill = Command::new("kill")
        .args(["-INT", &server.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let Output { status, stderr, .. } = server.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{stderr}");
    stderr
}

/// Starts and stops a server, and returns its output.
pub fn start_and_stop(command: &mut Command) -> String {
    let (server, output) = start(command);
    output + &stop(server)
}

#[test]
fn resume_keeps_settings() {
    let folder = tempfile::tempdir().unwrap();
    let state = &folder.path().join("state");
    let output = start_and_stop(&mut serve(
        state,
        &["--model", "softmax", "--seed", "5", "--fresh"],
    ));
    assert!(
        output.contains("The run is saved in") && output.contains("Training softmax"),
        "{output}"
    );

    let stderr = expect_failure(&mut serve(
        state,
        &["--model", "mlp", "--batch", "64", "--seed", "6"],
    ));
    for error in [
        "3 errors in the configuration",
        "model: expected \"softmax\", as the saved run has it, found \"mlp\"",
        "batch: expected 128, as the saved run has it, found 64",
        "seed: expected 5, as the saved run has it, found 6",
    ] {
        assert!(stderr.contains(error), "no {error:?} in {stderr}");
    }

    let output = start_and_stop(&mut serve(state, &["--max-volunteers", "3"]));
    assert!(
        output.contains("Training softmax") && output.contains("(seed 5)"),
        "{output}"
    );
}

#[test]
fn fresh_archives_run() {
    let folder = tempfile::tempdir().unwrap();
    let state = &folder.path().join("state");
    start_and_stop(&mut serve(state, &["--model", "softmax", "--seed", "5"]));
    let output = start_and_stop(&mut serve(state, &["--seed", "6", "--fresh"]));
    assert!(
        output.contains("The previous run is archived as") && output.contains("run.1.redb"),
        "{output}"
    );
    assert!(
        output.contains("Training mlp") && output.contains("(seed 6)"),
        "{output}"
    );
    assert!(state.join("run.1.redb").is_file() && state.join("rescue.1").is_file());
}

#[test]
fn invalid_settings_keep_existing_run() {
    let folder = tempfile::tempdir().unwrap();
    start_and_stop(&mut serve(folder.path(), &["--model", "softmax"]));
    expect_failure(&mut serve(folder.path(), &["--fresh", "--beta", "7"]));
    assert!(start_and_stop(&mut serve(folder.path(), &[])).contains("Training softmax"));
    assert!(!folder.path().join("run.1.redb").exists());
}

#[test]
fn fresh_requires_state() {
    assert!(
        expect_failure(&mut farsign(&["serve", "--fresh"])).contains("--fresh: expected --state")
    );
}

#[test]
fn state_directory_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, _) = start(&mut serve(folder.path(), &["--model", "softmax"]));
    for mut second in [
        serve(folder.path(), &[]),
        serve(folder.path(), &["--fresh"]),
        farsign(&["run", "show", "--state", folder.path().to_str().unwrap()]),
    ] {
        assert!(expect_failure(&mut second).contains("found it in use by another"));
    }
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn resume_rejects_different_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    start_and_stop(&mut serve(folder.path(), &["--model", "softmax"]));
    let digits = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/mnist-10k");
    // The held-out digits replace the training digits.
    for (kind, ending) in [("images", "idx3-ubyte.gz"), ("labels", "idx1-ubyte.gz")] {
        for part in ["train", "t10k"] {
            let from = format!("{digits}/t10k-{kind}-{ending}");
            fs::copy(from, data.path().join(format!("{part}-{kind}-{ending}"))).unwrap();
        }
    }
    let stderr = expect_failure(&mut serve(
        folder.path(),
        &["--data", data.path().to_str().unwrap()],
    ));
    assert!(
        stderr.contains("expected the training data of the saved run, with digest"),
        "{stderr}"
    );
}

#[test]
fn corrupt_database_recovers_from_backup() {
    let folder = tempfile::tempdir().unwrap();
    start_and_stop(&mut serve(folder.path(), &["--model", "softmax"]));
    fs::write(folder.path().join("run.redb"), b"no database at all").unwrap();
    let state = folder.path().to_str().unwrap();
    let stderr = expect_failure(&mut farsign(&["run", "show", "--state", state]));
    assert!(stderr.contains("the saved run is damaged"), "{stderr}");

    let output = start_and_stop(&mut serve(folder.path(), &[]));
    assert!(
        output.contains("run recovered from backup") && output.contains("accepted=0"),
        "{output}"
    );
    assert!(
        output.contains("later updates are lost") && output.contains("run.1.redb"),
        "{output}"
    );
    assert_eq!(
        fs::read(folder.path().join("run.1.redb")).unwrap(),
        b"no database at all"
    );
}

#[test]
fn corrupt_database_and_backup_fail() {
    let folder = tempfile::tempdir().unwrap();
    start_and_stop(&mut serve(folder.path(), &["--model", "softmax"]));
    fs::write(folder.path().join("run.redb"), b"").unwrap();
    fs::write(folder.path().join("rescue"), b"nor this").unwrap();
    let stderr = expect_failure(&mut serve(folder.path(), &[]));
    assert!(
        stderr.contains("damaged") && stderr.contains("rescue is damaged too"),
        "{stderr}"
    );
}

#[test]
fn missing_run_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let state = missing.to_str().unwrap();
    for arguments in [
        &["run", "show", "--state", state][..],
        &["run", "unlearn", "--state", state, "--volunteer", "1"],
    ] {
        let stderr = expect_failure(&mut farsign(arguments));
        assert!(
            stderr.contains("expected a saved run in") && stderr.contains("found none"),
            "{stderr}"
        );
    }
    assert!(!missing.exists(), "the commands create no directory");
}

/// Exports a model, and returns its tensors by name and its metadata.
fn export(arguments: &[&str], out: &Path) -> (HashMap<String, Vec<u8>>, HashMap<String, String>) {
    let output = farsign(&["model", "export", "--out", out.to_str().unwrap()])
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let file = fs::read(out).unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(stdout, format!("{}: {} bytes\n", out.display(), file.len()));
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let tensors = tensors
        .tensors()
        .into_iter()
        .map(|(name, tensor)| (name, tensor.data().to_vec()))
        .collect();
    let (_, header) = SafeTensors::read_metadata(&file).unwrap();
    (tensors, header.metadata().clone().unwrap())
}

#[test]
fn exported_model_matches_server_export() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let out = folder.path().join("model.safetensors");
    let small = ["--model", "softmax", "--horizon", "3", "--batch", "1"];
    let (server, output) = start(&mut serve(&state, &small));
    let (_, url) = output.split_once("Open ").unwrap();
    let url = url.split(' ').next().unwrap();
    assert!(
        farsign(&["volunteer", "--url", url])
            .output()
            .unwrap()
            .status
            .success()
    );
    let (served, served_metadata) = export(&["--url", url], &out);
    stop(server);
    let (saved, saved_metadata) = export(&["--state", state.to_str().unwrap()], &out);

    assert_eq!(saved.len(), 2);
    assert!(
        saved["layers.0.weight"].iter().any(|byte| *byte != 0),
        "the model was trained"
    );
    assert_eq!(saved, served);
    for key in [
        "run_id",
        "snapshot_version",
        "accepted",
        "train_sha256",
        "model",
    ] {
        assert_eq!(saved_metadata[key], served_metadata[key], "{key}");
    }
    assert_eq!(
        saved_metadata["held_out_at_accepted"], saved_metadata["accepted"],
        "the export evaluates the model"
    );
}

#[test]
fn failed_export_writes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.safetensors");
    let export = |arguments: &[&str]| {
        let mut command = farsign(&["model", "export", "--out", out.to_str().unwrap()]);
        let Output { status, stderr, .. } = command.args(arguments).output().unwrap();
        assert!(!status.success() && !out.exists());
        String::from_utf8_lossy(&stderr).into_owned()
    };
    let missing = folder.path().join("missing");
    let missing = missing.to_str().unwrap();
    assert!(export(&["--state", missing]).contains("expected a saved run in"));
    assert!(export(&["--url", "http://127.0.0.1:1"]).contains("is the server running?"));
    assert!(export(&[]).contains("--state"));
    assert!(
        export(&["--state", missing, "--url", "http://127.0.0.1:1"])
            .contains("cannot be used with")
    );
}
