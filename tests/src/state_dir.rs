//! A saved run, and the server that resumes it.

use std::process::Command;

use farsign::dataset::hexadecimal;
use farsign_server::store::codec::parameters_digest;

use crate::raw_client::whole_version;
use crate::server_process::server_program;

/// Replays a saved run, and returns its accepted updates and the digest of its parameters.
///
/// # Panics
/// If the run cannot be read.
pub fn show_run(state: &str) -> (u64, String) {
    run_command(&["show", "--state", state])
}

/// Runs a command of `farsign run`, and returns the accepted updates and the digest of the parameters that it prints.
///
/// # Panics
/// If the command fails.
pub fn run_command(arguments: &[&str]) -> (u64, String) {
    let output = Command::new(server_program())
        .arg("run")
        .args(arguments)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let value = |name: &str| {
        let line = stdout.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {stdout}"))
            .trim()
            .to_owned()
    };
    (
        value("accepted").parse().expect("a number"),
        value("parameters"),
    )
}

/// Returns the digest of the parameters that a server publishes.
pub fn published_parameters(url: &str) -> String {
    let mut response = ureq::get(format!("{url}/api/v1/snapshot"))
        .call()
        .expect("a response");
    let frame = response.body_mut().read_to_vec().expect("a body");
    hexadecimal(parameters_digest(whole_version(&frame).k()))
}
