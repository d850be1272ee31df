//! Builds the page's WebAssembly part and the server.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::prerequisites::toolchain::{self, WASM_TARGET};
use crate::shell::{Shell, WASM_TEST_RUNNER, executable, run};

/// The program that generates bindings.
const GENERATOR: &str = "xtask-web";

/// Compiles the worker to WebAssembly and generates its bindings in www/pkg.
pub fn web(shell: &Shell) -> Result<()> {
    run(&mut shell.cargo(&["build", "-p", GENERATOR]))?;
    worker_bindings(shell)
}

/// Does what [`web`] does, and builds the runner of Wasm tests with the generator of bindings.
pub fn web_and_test_runner(shell: &Shell) -> Result<()> {
    test_runner(shell)?;
    worker_bindings(shell)
}

/// Builds the bench page's WebAssembly part as [`web`] does and returns the folder of its bindings.
pub fn bench_page(shell: &Shell) -> Result<PathBuf> {
    run(&mut shell.cargo(&["build", "-p", GENERATOR]))?;
    let folder = shell.target().join("bench").join("pkg");
    bindings(shell, "farsign-bench-page", &folder)?;
    Ok(folder)
}

fn worker_bindings(shell: &Shell) -> Result<()> {
    bindings(
        shell,
        "farsign-worker",
        &shell.root().join("www").join("pkg"),
    )
}

fn bindings(shell: &Shell, package: &str, folder: &Path) -> Result<()> {
    toolchain::ensure_wasm_target(shell)?;
    let profile = "wasm-release";
    let mut build = shell.cargo(&["build", "-p", package, "--target", WASM_TARGET]);
    run(build.args(["--profile", profile]))?;
    let file = format!("{}.wasm", package.replace('-', "_"));
    let wasm = shell.target().join(WASM_TARGET).join(profile).join(file);
    let generator = shell.target().join("debug").join(executable(GENERATOR));
    run(shell.command(generator).arg(wasm).arg(folder))
}

/// Builds the runner of Wasm tests, and the generator of bindings with it, since both share most of their dependencies.
///
/// One command gives these dependencies the same features, so they are compiled once.
pub fn test_runner(shell: &Shell) -> Result<()> {
    run(&mut shell.cargo(&["build", "-p", GENERATOR, "-p", WASM_TEST_RUNNER]))
}

/// Builds the program `farsign` to be tested, with the current page inside.
///
/// With a test among the targets, dependencies have the same features as for all other tests, and are compiled once.
pub fn tested(shell: &Shell) -> Result<()> {
    let targets = ["--bin", "farsign", "--test", "browser"];
    run(shell.cargo_workspace("build").args(targets))
}

/// Builds the program `farsign` for release, with the current page inside.
pub fn release(shell: &Shell) -> Result<()> {
    run(&mut shell.cargo(&["build", "--release", "-p", "farsign-cli"]))
}

/// Builds the program `farsign` for this machine: with these features only and with few optimizations, which takes less time.
pub fn local(shell: &Shell, features: &str) -> Result<()> {
    run(&mut shell.cargo(&[
        "build",
        "--profile",
        "local",
        "-p",
        "farsign-cli",
        "--no-default-features",
        "--features",
        features,
    ]))
}
