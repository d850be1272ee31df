//! Standard output and standard error, which may be closed or full.
//!
//! Results go to standard output, and a result that cannot be written is an error. Everything else goes to standard
//! error, whose failures are not reported: there is no other place for a report.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anyhow::Context;

/// Writes a result to standard output. A reader that has seen enough and closed the pipe is no error.
///
/// # Errors
/// Returns an error if the text cannot be written.
pub fn print(text: impl Display) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    match write!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("could not write to standard output")
        }
        _ => Ok(()),
    }
}

/// Writes lines about the progress to standard output. The program continues if that fails.
pub fn announce(lines: impl Display) {
    _ = writeln!(io::stdout(), "{lines}");
}

/// Writes a line to standard error. The program continues if that fails.
pub fn note(line: impl Display) {
    _ = writeln!(io::stderr(), "{line}");
}

/// Returns whether standard error is a terminal that can move its cursor.
pub fn is_interactive() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Returns whether text on standard error has colours: on a terminal, unless the environment has `NO_COLOR`.
pub fn has_colors() -> bool {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    is_interactive() && !is_refused
}
