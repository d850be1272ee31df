//! The golden values on AArch64: compiled for it, and run under emulation.

use anyhow::Result;

use super::Outcome;
use crate::prerequisites::{qemu, toolchain};
use crate::shell::{Shell, run};

/// A target whose linker comes with Rust and whose C library comes with the target, so nothing else is needed.
const TARGET: &str = "aarch64-unknown-linux-musl";
const LINKER_VARIABLE: &str = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER";
const RUNNER_VARIABLE: &str = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER";

pub fn test(shell: &Shell) -> Result<Outcome> {
    if cfg!(target_arch = "aarch64") {
        return Ok(Outcome::Skipped(
            "this machine is AArch64: the step `native` has the same tests".to_owned(),
        ));
    }
    if !toolchain::has_target(shell, TARGET)? && !toolchain::has_rustup() {
        return Ok(Outcome::Skipped(format!(
            "needs rustup, or a Rust installation with {TARGET}"
        )));
    }
    toolchain::ensure_target(shell, TARGET)?;
    let mut command = shell.cargo(&[
        "test", "-p", "farsign", "--test", "golden", "--target", TARGET,
    ]);
    command.env(LINKER_VARIABLE, "rust-lld");
    let Some(emulator) = qemu::prepare(shell) else {
        run(command.arg("--no-run"))?;
        let reason = format!(
            "compiled but not run; needs QEMU (on Debian: apt-get install {})",
            qemu::PACKAGE
        );
        return Ok(Outcome::Skipped(reason));
    };
    run(command.env(RUNNER_VARIABLE, emulator))?;
    Ok(Outcome::Passed)
}
