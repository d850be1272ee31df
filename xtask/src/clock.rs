//! A clock that tests can put forward and back for a program.

use std::path::Path;

use crate::debian;
use crate::shell::Shell;

const PACKAGE: &str = "libfaketime";

/// Installs the library for that where it is missing and that can be done without asking. Without it, the test leaves the
/// clock alone, and says so.
pub fn prepare(shell: &Shell) {
    let library = |arch| format!("/usr/lib/{arch}-linux-gnu/faketime/libfaketime.so.1");
    let is_there = ["x86_64", "aarch64"].map(library).iter().any(|path| Path::new(path).is_file());
    if cfg!(target_os = "linux")
        && !is_there
        && let Err(message) = debian::install(shell, &[PACKAGE])
    {
        println!("{message}");
    }
}
