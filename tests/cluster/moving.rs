//! A run moves from a state directory into a cluster, and back.

use std::path::Path;
use std::process::Command;

use farsign_tests::child_process::ChildProcess;
use farsign_tests::nats_servers::{NatsServers, free_port, nats_program};
use farsign_tests::server_process::server_program;
use farsign_tests::state_dir::{run_command, show_run};
use farsign_tests::wait::wait_for_some;

use crate::cluster::{Cluster, terminate};
use crate::load::Load;

/// Parameters of softmax regression on the built-in digits.
const PARAMETERS: usize = 7850;

fn await_updates(load: &Load) {
    wait_for_some("updates", || (load.acknowledged() >= 200).then_some(()));
}

/// Trains a new run in a state directory.
fn train(state: &Path) {
    let listen = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(server_program());
    command
        .args(["serve", "--model", "softmax", "--rule", "plain"])
        .args(["--listen", &listen, "--state"])
        .arg(state)
        .env("FARSIGN_LOG", "info");
    let mut server = ChildProcess::start(&mut command);
    server.wait_for_lines(&["server started"]);
    let load = Load::start(&[listen.parse().expect("an address")], 2, PARAMETERS);
    await_updates(&load);
    load.stop();
    terminate(server);
}

#[test]
fn moved_run_keeps_its_parameters() {
    let Some(program) = nats_program() else {
        println!("skipped: FARSIGN_NATS_SERVER does not name nats-server");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (original, moved) = (path("original"), path("moved"));
    train(original.as_ref());
    let before = show_run(&original);

    let nats = NatsServers::start(program);
    let servers = nats.addresses("learner");
    let push = ["push", "--state", &original, "--nats", &servers];
    assert_eq!(run_command(&push), before, "into the cluster");
    let mut cluster = Cluster::start(nats, &[]);
    let load = Load::start(&cluster.addresses, 2, PARAMETERS);
    await_updates(&load);
    let acknowledged = load.stop().len() as u64;
    cluster.stop();
    assert_eq!(cluster.nats.violations(), Vec::<String>::new());

    let pull = ["pull", "--state", &moved, "--nats", &servers];
    let after = run_command(&pull);
    assert!(after.0 >= before.0 + acknowledged);
    assert_eq!(show_run(&moved), after, "and back");
}
