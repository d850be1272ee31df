//! Steps that need nothing but Rust, and the tests in Python.

use std::fs;

use anyhow::{Context as _, Result};

use super::{Outcome, with_program};
use crate::prerequisites::{clock, nats, python, toolchain};
use crate::shell::{Shell, executable, run};

/// The variable that names the interpreter to the tests of the programs in Python.
const PYTHON_VARIABLE: &str = "FARSIGN_PYTHON";

const PYTHON_REQUIREMENTS: &str = "tests/third-party/requirements.txt";

pub fn format(shell: &Shell) -> Result<Outcome> {
    toolchain::ensure_components(shell)?;
    run(&mut shell.cargo(&["fmt", "--all", "--check"]))?;
    Ok(Outcome::Passed)
}

pub fn clippy(shell: &Shell) -> Result<Outcome> {
    toolchain::ensure_components(shell)?;
    // `--all-targets` leaves out tests that run only when named.
    for targets in [["--all-targets"].as_slice(), &["--test", "*"]] {
        let mut command = shell.cargo_workspace("clippy");
        run(command.args(targets).args(["--", "-D", "warnings"]))?;
    }
    Ok(Outcome::Passed)
}

pub fn docs(shell: &Shell) -> Result<Outcome> {
    let mut command = shell.cargo_workspace("doc");
    command.args(["--no-deps", "--document-private-items"]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::Passed)
}

pub fn native_tests(shell: &Shell) -> Result<Outcome> {
    clock::prepare(shell);
    run(with_program(shell, &mut shell.cargo_workspace("test")))?;
    Ok(Outcome::Passed)
}

/// Runs the tests of clusters, with their own nats-servers.
pub fn cluster(shell: &Shell) -> Result<Outcome> {
    let Some(server) = nats::server(shell)? else {
        return Ok(Outcome::Skipped(nats::missing()));
    };
    let mut command = shell.cargo_workspace("test");
    command
        .args(["--test", "cluster"])
        .env(nats::SERVER_VARIABLE, server);
    run(with_program(shell, &mut command))?;
    Ok(Outcome::Passed)
}

/// Runs the quick scenario, whose assertions must hold. That two runs agree is a test of the lab's own.
pub fn lab(shell: &Shell) -> Result<Outcome> {
    let out = shell.target().join("lab");
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| out.display().to_string())?;
    }
    let mut command = shell.command(shell.tested_program());
    command.args(["lab", "run", "lab/scenarios/quick.toml", "--out"]);
    run(command.arg(&out))?;
    Ok(Outcome::Passed)
}

/// Compares the golden values in a release build with every instruction that this processor has.
///
/// The step `native` compares them with the instructions that every processor has.
pub fn optimized(shell: &Shell) -> Result<Outcome> {
    let mut command = shell.cargo(&["test", "-p", "farsign", "--test", "golden", "--release"]);
    // With a target, cargo does not pass the flags to proc macros.
    command.args(["--target", &toolchain::own_target(shell)?]);
    run(command.env("RUSTFLAGS", "-C target-cpu=native"))?;
    Ok(Outcome::Passed)
}

pub fn third_party(shell: &Shell) -> Result<Outcome> {
    let Some(programs) = python::programs(shell, "python", &shell.read(PYTHON_REQUIREMENTS)?)?
    else {
        return Ok(Outcome::Skipped(format!(
            "needs Python with {PYTHON_REQUIREMENTS}"
        )));
    };
    let mut command = shell.cargo_workspace("test");
    command
        .args(["--test", "third_party"])
        .env(PYTHON_VARIABLE, programs.join(executable("python")));
    run(with_program(shell, &mut command))?;
    Ok(Outcome::Passed)
}
