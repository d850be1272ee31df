//! The program as a child process.

use std::process::{Command, Output, Stdio};

/// Returns a command of the program, without settings from the environment of the test.
pub fn farsign(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farsign"));
    let variables = std::env::vars_os().map(|(name, _)| name);
    variables
        .filter(|name| name.to_string_lossy().starts_with("FARSIGN_"))
        .for_each(|name| {
            command.env_remove(name);
        });
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command that must fail, and returns its standard error.
pub fn expect_failure(command: &mut Command) -> String {
    let Output {
        status,
        stderr,
        stdout,
    } = command.output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(
        status.code(),
        Some(1),
        "{stderr}{}",
        String::from_utf8_lossy(&stdout)
    );
    stderr
}
