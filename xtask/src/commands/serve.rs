//! `cargo xtask serve`: from a fresh clone to a running server.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::build;
use crate::shell::Shell;

/// Builds the page and the server, and becomes that server.
pub fn run(shell: &Shell, arguments: &[OsString]) -> Result<ExitCode> {
    build::web(shell)?;
    build::local(shell, "")?;
    // In the caller's folder, so that relative file names among the arguments stay valid.
    let mut server = Command::new(shell.local_program());
    server.arg("serve").args(arguments);
    become_program(&mut server)
}

/// Replaces this process, so that Ctrl-C and other signals reach only the server.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    Err(error).with_context(|| format!("starting {}", command.get_program().to_string_lossy()))
}

/// Waits for the server and returns its exit code, on systems where a process cannot be replaced.
#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Result<ExitCode> {
    let status = command
        .status()
        .with_context(|| format!("starting {}", command.get_program().to_string_lossy()))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
