//! The program and its saved runs as a host meets them.
#![cfg(unix)]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use safetensors::tensor::SafeTensors;

fn farsign(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farsign"));
    let settings = std::env::vars_os().map(|(name, _)| name);
    settings.filter(|name| name.to_string_lossy().starts_with("FARSIGN_")).for_each(|name| {
        command.env_remove(name);
    });
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn serve(state: &Path, arguments: &[&str]) -> Command {
    let mut command = farsign(&["serve", "--listen", "127.0.0.1:0", "--state"]);
    command.arg(state).args(arguments);
    command
}

/// A server that runs; gives what it said up to its address.
fn started(command: &mut Command) -> (Child, String) {
    let mut server = command.spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok) {
        said.extend([line.as_str(), "\n"]);
        if line.starts_with("Open http://") {
            return (server, said);
        }
    }
    panic!("it did not start: {said}{:?}", server.wait_with_output());
}

/// Starts a server and ends it cleanly; gives what it said.
fn once(command: &mut Command) -> String {
    let (server, said) = started(command);
    said + &ended(server)
}

/// Ends a server cleanly; gives what it said on standard error.
fn ended(server: Child) -> String {
    let interrupted = Command::new("kill").args(["-INT", &server.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let Output { status, stderr, .. } = server.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{errors}");
    errors
}

fn refused(command: &mut Command) -> String {
    let Output { status, stderr, stdout } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(1), "{said}{}", String::from_utf8_lossy(&stdout));
    said
}

#[test]
fn a_run_begins_is_resumed_with_its_own_settings_and_makes_way_for_a_fresh_one() {
    let folder = tempfile::tempdir().unwrap();
    let state = &folder.path().join("state");
    let said = once(&mut serve(state, &["--model", "softmax", "--seed", "5", "--fresh"]));
    assert!(said.contains("The run is saved in") && said.contains("Training softmax"), "{said}");

    let said = refused(&mut serve(state, &["--model", "mlp", "--batch", "64", "--seed", "6"]));
    for mistake in [
        "3 mistakes",
        "model: expected \"softmax\", as the saved run has it, found \"mlp\"",
        "batch: expected 128, as the saved run has it, found 64",
        "seed: expected 5, as the saved run has it, found 6",
    ] {
        assert!(said.contains(mistake), "no {mistake:?} in {said}");
    }

    let said = once(&mut serve(state, &["--max-volunteers", "3"]));
    assert!(said.contains("Training softmax") && said.contains("(seed 5)"), "{said}");

    let said = once(&mut serve(state, &["--seed", "6", "--fresh"]));
    assert!(said.contains("The earlier run is kept as") && said.contains("run.1.redb"), "{said}");
    assert!(said.contains("Training mlp") && said.contains("(seed 6)"), "{said}");
    assert!(state.join("run.1.redb").is_file() && state.join("rescue.1").is_file());
}

#[test]
fn a_mistake_leaves_the_earlier_run_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    once(&mut serve(folder.path(), &["--model", "softmax"]));
    refused(&mut serve(folder.path(), &["--fresh", "--beta", "7"]));
    assert!(once(&mut serve(folder.path(), &[])).contains("Training softmax"));
    assert!(!folder.path().join("run.1.redb").exists());
    assert!(refused(&mut farsign(&["serve", "--fresh"])).contains("--fresh: expected --state"));
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, _) = started(&mut serve(folder.path(), &["--model", "softmax"]));
    for mut second in [
        serve(folder.path(), &[]),
        serve(folder.path(), &["--fresh"]),
        farsign(&["run", "show", "--state", folder.path().to_str().unwrap()]),
    ] {
        assert!(refused(&mut second).contains("found it in use by another one"));
    }
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn other_data_than_the_runs_is_refused() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    once(&mut serve(folder.path(), &["--model", "softmax"]));
    let digits = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/mnist-10k");
    // The held-out digits in the place of all.
    for (kind, ending) in [("images", "idx3-ubyte.gz"), ("labels", "idx1-ubyte.gz")] {
        for part in ["train", "t10k"] {
            let from = format!("{digits}/t10k-{kind}-{ending}");
            std::fs::copy(from, data.path().join(format!("{part}-{kind}-{ending}"))).unwrap();
        }
    }
    let said = refused(&mut serve(folder.path(), &["--data", data.path().to_str().unwrap()]));
    assert!(said.contains("expected the training data of the saved run, with digest"), "{said}");
}

#[test]
fn a_damaged_run_goes_on_from_its_checkpoint_and_the_host_is_told_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    once(&mut serve(folder.path(), &["--model", "softmax"]));
    std::fs::write(folder.path().join("run.redb"), b"no database at all").unwrap();
    let state = folder.path().to_str().unwrap();
    let said = refused(&mut farsign(&["run", "show", "--state", state]));
    assert!(said.contains("the saved run is damaged"), "{said}");

    let said = once(&mut serve(folder.path(), &[]));
    assert!(said.contains("goes on from its last checkpoint, with 0 accepted contributions"), "{said}");
    assert!(said.contains("what was accepted after it is lost") && said.contains("run.1.redb"), "{said}");
    assert_eq!(std::fs::read(folder.path().join("run.1.redb")).unwrap(), b"no database at all");

    std::fs::write(folder.path().join("run.redb"), b"").unwrap();
    std::fs::write(folder.path().join("rescue"), b"nor this").unwrap();
    let said = refused(&mut serve(folder.path(), &[]));
    assert!(said.contains("damaged") && said.contains("is of no use either"), "{said}");
}

#[test]
fn a_run_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let state = nowhere.to_str().unwrap();
    for arguments in
        [&["run", "show", "--state", state][..], &["run", "evict", "--state", state, "--volunteer", "1"]]
    {
        let said = refused(&mut farsign(arguments));
        assert!(said.contains("expected a saved run in") && said.contains("found none"), "{said}");
    }
    assert!(!nowhere.exists(), "asking makes no folder");
}

/// Has a model exported; gives its tensors, by name, and its metadata.
fn exported(arguments: &[&str], out: &Path) -> (HashMap<String, Vec<u8>>, HashMap<String, String>) {
    let output =
        farsign(&["model", "export", "--out", out.to_str().unwrap()]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = fs::read(out).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, format!("{}: {} bytes\n", out.display(), file.len()));
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let tensors =
        tensors.tensors().into_iter().map(|(name, tensor)| (name, tensor.data().to_vec())).collect();
    let (_, header) = SafeTensors::read_metadata(&file).unwrap();
    (tensors, header.metadata().clone().unwrap())
}

#[test]
fn the_model_of_a_saved_run_is_the_one_that_its_server_gave_out() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (state, out) = (folder.path(), out.path().join("model.safetensors"));
    let small = ["--model", "softmax", "--horizon", "3", "--batch", "1"];
    let (server, said) = started(&mut serve(state, &small));
    let (_, address) = said.split_once("Open ").unwrap();
    let address = address.split(' ').next().unwrap();
    assert!(farsign(&["volunteer", "--url", address]).output().unwrap().status.success());
    let (served, served_facts) = exported(&["--url", address], &out);
    ended(server);
    let (saved, saved_facts) = exported(&["--state", state.to_str().unwrap()], &out);

    assert_eq!(saved.len(), 2);
    assert!(saved["layers.0.weight"].iter().any(|byte| *byte != 0), "it has learnt something");
    assert_eq!(saved, served);
    for fact in ["run_id", "snapshot_version", "accepted", "train_sha256", "model"] {
        assert_eq!(saved_facts[fact], served_facts[fact], "{fact}");
    }
    assert_eq!(
        saved_facts["held_out_at_accepted"], saved_facts["accepted"],
        "it is measured when it is exported"
    );
}

#[test]
fn an_export_says_what_it_cannot_have() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.safetensors");
    let export = |arguments: &[&str]| {
        let mut command = farsign(&["model", "export", "--out", out.to_str().unwrap()]);
        let Output { status, stderr, .. } = command.args(arguments).output().unwrap();
        assert!(!status.success() && !out.exists());
        String::from_utf8_lossy(&stderr).into_owned()
    };
    let nowhere = folder.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    assert!(export(&["--state", nowhere]).contains("expected a saved run in"));
    assert!(export(&["--url", "http://127.0.0.1:1"]).contains("is the server running?"));
    assert!(export(&[]).contains("--state"));
    assert!(export(&["--state", nowhere, "--url", "http://127.0.0.1:1"]).contains("cannot be used with"));
}
