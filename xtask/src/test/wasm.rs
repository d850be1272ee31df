//! Steps that run WebAssembly in a browser.

use anyhow::{Result, ensure};

use super::Outcome;
use crate::build;
use crate::prerequisites::toolchain::WASM_TARGET;
use crate::prerequisites::{chromium, toolchain};
use crate::shell::{Shell, WASM_TEST_RUNNER, executable, run, run_and_read};

/// The time limit for all browser unit tests of a package; the runner's own 20 s are too short for a busy machine.
const TEST_TIMEOUT_SECONDS: &str = "300";

const RUNNER_VARIABLE: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER";

pub fn clippy(shell: &Shell) -> Result<Outcome> {
    toolchain::ensure_components(shell)?;
    toolchain::ensure_wasm_target(shell)?;
    let packages = [
        "-p",
        "farsign",
        "-p",
        "farsign-worker",
        "-p",
        "farsign-bench-page",
    ];
    let mut command = shell.cargo(&["clippy", "--target", WASM_TARGET, "--all-targets"]);
    run(command.args(packages).args(["--", "-D", "warnings"]))?;
    Ok(Outcome::Passed)
}

pub fn algorithm(shell: &Shell) -> Result<Outcome> {
    test_in_browser(shell, "farsign", None)
}

pub fn algorithm_without_simd(shell: &Shell) -> Result<Outcome> {
    test_in_browser(shell, "farsign", Some("-C target-feature=-simd128"))
}

pub fn worker(shell: &Shell) -> Result<Outcome> {
    test_in_browser(shell, "farsign-worker", None)
}

/// Runs a package's browser tests, as `wasm-pack test --headless --chrome` does, with a runner of the locked version.
fn test_in_browser(shell: &Shell, package: &str, flags: Option<&str>) -> Result<Outcome> {
    let browser = chromium::prepare(shell)?;
    build::test_runner(shell)?;
    let mut command = shell.cargo(&["test", "-p", package, "--tests", "--target", WASM_TARGET]);
    command.env(
        RUNNER_VARIABLE,
        shell
            .target()
            .join("debug")
            .join(executable(WASM_TEST_RUNNER)),
    );
    command.env("CHROMEDRIVER", &browser.driver);
    command
        .env("WASM_BINDGEN_TEST_ONLY_WEB", "1")
        .env("WASM_BINDGEN_TEST_TIMEOUT", TEST_TIMEOUT_SECONDS);
    command.envs(flags.map(|flags| ("RUSTFLAGS", flags)));
    // The runner accepts a package without a single browser test.
    let passed = passed_tests(&run_and_read(&mut command)?);
    ensure!(
        passed > 0,
        "no test of {package} ran in the browser; are they marked #[wasm_bindgen_test]?"
    );
    Ok(Outcome::Passed)
}

/// Adds up the lines of the form `test result: ok. 12 passed; 0 failed`.
fn passed_tests(output: &str) -> u32 {
    let counts = output.lines().filter_map(|line| {
        line.strip_prefix("test result: ok. ")?
            .split_once(" passed")
    });
    counts
        .filter_map(|(count, _)| count.parse::<u32>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_added_up() {
        let output = "no tests to run!\ntest result: ok. 12 passed; 0 failed\n\ntest result: ok. 3 passed; 0 failed";
        assert_eq!(passed_tests(output), 15);
        assert_eq!(
            passed_tests("no tests to run!\ntest result: ok. 0 passed; 0 failed\n"),
            0
        );
    }
}
