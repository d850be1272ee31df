//! The golden values on another processor: compiled for aarch64, and run under emulation where that is possible.

use std::path::PathBuf;

use crate::shell::{Result, Shell, find_program, run};
use crate::{debian, toolchain};

/// Linked by the linker that comes with Rust, against the C library that comes with the target, so that nothing else
/// has to be installed to compile for it.
const TARGET: &str = "aarch64-unknown-linux-musl";
const LINKER: (&str, &str) = ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld");
const RUNNER_VARIABLE: &str = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER";

const EMULATOR_NAMES: [&str; 2] = ["qemu-aarch64", "qemu-aarch64-static"];
const EMULATOR_PACKAGE: &str = "qemu-user";

/// Compares the golden values, or says why it could not.
pub fn test(shell: &Shell) -> Result<()> {
    if cfg!(target_arch = "aarch64") {
        println!("This machine is an aarch64 itself: the tests on this machine are these tests.");
        return Ok(());
    }
    if !toolchain::has_target(shell, TARGET)? && !toolchain::has_rustup() {
        println!(
            "This Rust installation cannot compile for {TARGET}, and rustup, which would add that, is not"
        );
        println!("there: the golden values are not compared on aarch64.");
        return Ok(());
    }
    toolchain::ensure_target(shell, TARGET)?;
    let mut command = shell.cargo(&["test", "-p", "farsign", "--test", "golden", "--target", TARGET]);
    command.env(LINKER.0, LINKER.1);
    if let Some(emulator) = emulator(shell) {
        return run(command.env(RUNNER_VARIABLE, emulator));
    }
    run(command.arg("--no-run"))?;
    println!("They were compiled for aarch64 but NOT RUN, as there is no {}.", EMULATOR_NAMES[0]);
    println!("On Debian: apt-get install {EMULATOR_PACKAGE}.");
    Ok(())
}

/// The emulator, installed first where it is missing and that can be done without asking.
fn emulator(shell: &Shell) -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None; // it passes a program's requests on to Linux
    }
    find_program(&EMULATOR_NAMES).or_else(|| {
        if let Err(message) = debian::install(shell, &[EMULATOR_PACKAGE]) {
            println!("{message}"); // without it, the tests are still compiled
        }
        find_program(&EMULATOR_NAMES)
    })
}
