//! A saved run beside the server that goes on with it.

use std::process::Command;

use farsign::dataset::hexadecimal;
use farsign::wire::{ServerRecord, read_server_frame};
use farsign_server::store::record::parameters_digest;

use crate::process::server_program;

/// Accepted contributions and parameters of a saved run, from the beginning of its log.
/// # Panics
/// When it cannot be read.
pub fn show(state: &str) -> (u64, String) {
    let output = Command::new(server_program()).args(["run", "show", "--state", state]).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    let value = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {said}")).trim().to_owned()
    };
    (value("accepted").parse().expect("a number"), value("parameters"))
}

/// Digest of the parameters that a server gives out.
pub fn served(url: &str) -> String {
    let mut response = ureq::get(format!("{url}/api/v1/snapshot")).call().expect("the server answers");
    let frame = response.body_mut().read_to_vec().expect("the body comes");
    let mut records = read_server_frame(&frame).expect("the server speaks this version");
    let Some(Ok(ServerRecord::Snapshot(snapshot))) = records.next() else { panic!("no snapshot") };
    let mut x = Vec::new();
    snapshot.unpack(&mut x).expect("the parameters are finite");
    hexadecimal(parameters_digest(&x))
}
