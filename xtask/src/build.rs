//! Builds the page's WebAssembly part and the server.

use crate::shell::{Result, Shell, run};
use crate::toolchain::{self, WASM_TARGET};

/// Compiles the worker to WebAssembly and generates its bindings in www/pkg.
pub fn web(shell: &Shell) -> Result<()> {
    toolchain::ensure_wasm_target(shell)?;
    let profile = "wasm-release";
    run(&mut shell.cargo(&["build", "-p", "farsign-worker", "--target", WASM_TARGET, "--profile", profile]))?;
    let wasm = shell.target().join(WASM_TARGET).join(profile).join("farsign_worker.wasm");
    let pkg = shell.root().join("www").join("pkg");
    run(shell.cargo(&["run", "-p", "xtask-web", "--"]).arg(wasm).arg(pkg))
}

/// Builds the server, with the page as it stands inside it.
pub fn server(shell: &Shell) -> Result<()> {
    run(&mut shell.cargo(&["build", "--release", "-p", "farsign-server"]))
}
