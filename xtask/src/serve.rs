//! `cargo xtask serve`: everything from a fresh clone to a running server.

use std::process::{Command, ExitCode};

use crate::build;
use crate::shell::{Result, Shell};

/// Builds the page and the server and becomes that server.
pub fn run(shell: &Shell, arguments: &[String]) -> Result<ExitCode> {
    build::web(shell)?;
    build::server(shell)?;
    // In the folder where the person stands, so that file names among the arguments mean what they say.
    let mut server = Command::new(shell.server_binary());
    server.arg("serve").args(arguments);
    become_program(&mut server)
}

/// Replaces this process, so that Ctrl-C and other signals reach the server and nobody else.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    Err(format!("{} could not be started: {error}", command.get_program().to_string_lossy()))
}

/// Where a process cannot be replaced, waits for the server and passes its exit code on.
#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().map_err(|error| {
        format!("{} could not be started: {error}", command.get_program().to_string_lossy())
    })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
