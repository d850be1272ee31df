//! An emulator of AArch64.

use std::path::PathBuf;

use crate::prerequisites::debian;
use crate::shell::{Shell, find_program};

const NAMES: [&str; 2] = ["qemu-aarch64", "qemu-aarch64-static"];

/// The Debian package of the emulator.
pub const PACKAGE: &str = "qemu-user";

/// Finds the emulator, installing it if it is missing and can be installed.
pub fn prepare(shell: &Shell) -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None; // it passes a program's requests on to Linux
    }
    find_program(&NAMES).or_else(|| {
        if let Err(error) = debian::install(shell, &[PACKAGE]) {
            println!("{error:#}"); // without it, the tests are still compiled
        }
        find_program(&NAMES)
    })
}
