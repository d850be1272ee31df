//! Builds the page's WebAssembly part and the server.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::prerequisites::toolchain::{self, WASM_TARGET};
use crate::shell::{Shell, run};

/// Compiles the worker to WebAssembly and generates its bindings in www/pkg.
pub fn web(shell: &Shell) -> Result<()> {
    bindings(
        shell,
        "farsign-worker",
        &shell.root().join("www").join("pkg"),
    )
}

/// Builds the bench page's WebAssembly part as [`web`] does and returns the folder of its bindings.
pub fn bench_page(shell: &Shell) -> Result<PathBuf> {
    let folder = shell.target().join("bench").join("pkg");
    bindings(shell, "farsign-bench-page", &folder)?;
    Ok(folder)
}

fn bindings(shell: &Shell, package: &str, folder: &Path) -> Result<()> {
    toolchain::ensure_wasm_target(shell)?;
    let profile = "wasm-release";
    run(&mut shell.cargo(&[
        "build",
        "-p",
        package,
        "--target",
        WASM_TARGET,
        "--profile",
        profile,
    ]))?;
    let file = format!("{}.wasm", package.replace('-', "_"));
    let wasm = shell.target().join(WASM_TARGET).join(profile).join(file);
    run(shell
        .cargo(&["run", "-p", "xtask-web", "--"])
        .arg(wasm)
        .arg(folder))
}

/// Builds the program `farsign` to be tested, with the current page inside.
///
/// The tests share its compiled dependencies: all members of the workspace enable the same features.
pub fn tested(shell: &Shell) -> Result<()> {
    run(&mut shell.cargo(&["build", "--workspace", "--bin", "farsign"]))
}

/// Builds the program `farsign` for release, with the current page inside.
pub fn release(shell: &Shell) -> Result<()> {
    run(&mut shell.cargo(&["build", "--release", "-p", "farsign-cli"]))
}

/// Builds the program `farsign` for release without the lab, which takes less time.
pub fn release_without_lab(shell: &Shell) -> Result<()> {
    run(&mut shell.cargo(&[
        "build",
        "--release",
        "-p",
        "farsign-cli",
        "--no-default-features",
    ]))
}
