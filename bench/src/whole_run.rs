//! A whole run of the real programs on this machine.

use std::process::Command;

use farsign_tests::process::{Program, Server};
use serde_json::Value;

use crate::machine::Machine;

/// The status of `farsign serve` with these settings after `farsign volunteer` with so many workers and these arguments
/// has brought the run to its end, and the finished model has been evaluated.
pub fn whole_run(machine: &Machine, settings: &[&str], workers: usize, arguments: &[&str]) -> Value {
    let server = Server::start(settings);
    let (url, workers) = (format!("http://{}", server.address()), workers.to_string());
    let mut fleet = Command::new(&machine.paths.server);
    fleet.args(["volunteer", "--workers", &workers, "--url", &url]).args(arguments);
    let _fleet = Program::start(&mut fleet);
    server.wait_until("the end of the run", |status| {
        status["run"]["phase"] == "finished" && status["held_out"]["at_accepted"] == status["accepted"]
    })
}
