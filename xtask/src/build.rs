//! Builds the page's WebAssembly part and the server.

use std::path::{Path, PathBuf};

use crate::shell::{Result, Shell, run};
use crate::toolchain::{self, WASM_TARGET};

/// Compiles the worker to WebAssembly and generates its bindings in www/pkg.
pub fn web(shell: &Shell) -> Result<()> {
    bindings(shell, "farsign-worker", &shell.root().join("www").join("pkg"))
}

/// The same for the bench page, with the same profile; gives the folder of its bindings.
pub fn bench_page(shell: &Shell) -> Result<PathBuf> {
    let folder = shell.target().join("bench").join("pkg");
    bindings(shell, "farsign-bench-page", &folder)?;
    Ok(folder)
}

fn bindings(shell: &Shell, package: &str, folder: &Path) -> Result<()> {
    toolchain::ensure_wasm_target(shell)?;
    let profile = "wasm-release";
    run(&mut shell.cargo(&["build", "-p", package, "--target", WASM_TARGET, "--profile", profile]))?;
    let file = format!("{}.wasm", package.replace('-', "_"));
    let wasm = shell.target().join(WASM_TARGET).join(profile).join(file);
    run(shell.cargo(&["run", "-p", "xtask-web", "--"]).arg(wasm).arg(folder))
}

/// Builds the server, with the page as it stands inside it.
pub fn server(shell: &Shell) -> Result<()> {
    run(&mut shell.cargo(&["build", "--release", "-p", "farsign-server"]))
}
