//! Steps that need nothing but Rust, and the tests in Python.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::{Outcome, with_program};
use crate::prerequisites::{clock, python, toolchain};
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
        let mut command = shell.cargo(&["clippy", "--workspace"]);
        run(command.args(targets).args(["--", "-D", "warnings"]))?;
    }
    Ok(Outcome::Passed)
}

pub fn docs(shell: &Shell) -> Result<Outcome> {
    let mut command = shell.cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::Passed)
}

pub fn native_tests(shell: &Shell) -> Result<Outcome> {
    clock::prepare(shell);
    run(with_program(
        shell,
        &mut shell.cargo(&["test", "--workspace"]),
    ))?;
    Ok(Outcome::Passed)
}

/// Runs the quick scenario twice: its assertions must hold, and both results must be the same bytes.
pub fn lab(shell: &Shell) -> Result<Outcome> {
    let folder = shell.target().join("lab");
    let mut results = Vec::new();
    for name in ["first", "second"] {
        let out = folder.join(name);
        if out.exists() {
            fs::remove_dir_all(&out).with_context(|| out.display().to_string())?;
        }
        let mut command = shell.command(shell.tested_program());
        run(command
            .args(["lab", "run", "lab/scenarios/quick.toml", "--out"])
            .arg(&out))?;
        let read = |file: &str| fs::read(out.join(file)).with_context(|| file.to_owned());
        results.push([read("curves.csv")?, read("summary.json")?]);
    }
    ensure!(
        results[0] == results[1],
        "two runs of one scenario differ: see {}",
        folder.display()
    );
    Ok(Outcome::Passed)
}

/// Compares the golden values in a release build, and with every instruction that this processor has.
pub fn optimized(shell: &Shell) -> Result<Outcome> {
    let arguments = ["test", "-p", "farsign", "--test", "golden"];
    run(shell
        .cargo(&arguments)
        .arg("--release")
        .env_remove("RUSTFLAGS"))?;
    // In a folder of its own: other flags would make cargo rebuild everything in the shared one.
    let mut native = shell.cargo(&arguments);
    native
        .env("RUSTFLAGS", "-C target-cpu=native")
        .env("CARGO_TARGET_DIR", shell.target().join("native"));
    run(&mut native)?;
    Ok(Outcome::Passed)
}

pub fn third_party(shell: &Shell) -> Result<Outcome> {
    let Some(programs) = python::programs(shell, "python", &shell.read(PYTHON_REQUIREMENTS)?)?
    else {
        return Ok(Outcome::Skipped(format!(
            "needs Python with {PYTHON_REQUIREMENTS}"
        )));
    };
    let mut command = shell.cargo(&["test", "--workspace", "--test", "third_party"]);
    command.env(PYTHON_VARIABLE, programs.join(executable("python")));
    run(with_program(shell, &mut command))?;
    Ok(Outcome::Passed)
}
