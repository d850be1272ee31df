//! End-to-end runs of the real programs on this machine.

use std::process::Command;

use farsign_tests::child_process::ChildProcess;
use farsign_tests::server_process::ServerProcess;
use serde_json::Value;

use crate::machine::Machine;

/// Runs a server with `settings` and a native volunteer with `workers` and `arguments` to the end of the run.
///
/// Returns the status after the evaluation of the final model.
pub fn run_to_end(
    machine: &Machine,
    settings: &[&str],
    workers: usize,
    arguments: &[&str],
) -> Value {
    let server = ServerProcess::start(settings);
    let url = format!("http://{}", server.address());
    let workers = workers.to_string();
    let mut fleet = Command::new(&machine.paths.server);
    fleet
        .args(["volunteer", "--workers", &workers, "--url", &url])
        .args(arguments);
    let _fleet = ChildProcess::start(&mut fleet);
    server.wait_until("the end of the run", |status| {
        status["run"]["phase"] == "finished"
            && status["held_out"]["at_accepted"] == status["accepted"]
    })
}
