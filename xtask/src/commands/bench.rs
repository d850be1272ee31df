//! `cargo xtask bench`: compares the project with its peers.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::build;
use crate::prerequisites::chromium::{self, BROWSER_VARIABLE, DRIVER_VARIABLE};
use crate::prerequisites::npm;
use crate::shell::{self, Shell};

/// The peers and their versions, relative to the repository's root.
const PACKAGES: &str = "bench/page/package.json";

/// Builds the contenders, installs the peers and measures.
///
/// Sections come first among the arguments. Only the sections `browser` and `fleet` need a browser, and `browser` npm.
pub fn run(shell: &Shell, arguments: &[String]) -> Result<ExitCode> {
    build::web(shell)?;
    build::release(shell)?;
    let mut command = shell.cargo(&["run", "--release", "-p", "farsign-bench", "--"]);
    command
        .args(arguments)
        .arg("--root")
        .arg(shell.root())
        .arg("--out")
        .arg(shell.target().join("bench"));
    command.env("FARSIGN_BIN", shell.release_program());
    let all = arguments
        .first()
        .is_none_or(|first| first.starts_with("--"));
    let measures = |section: &str| all || arguments.iter().any(|argument| argument == section);
    if measures("browser") || measures("fleet") {
        let browser = chromium::prepare(shell)?;
        command
            .env(BROWSER_VARIABLE, &browser.program)
            .env(DRIVER_VARIABLE, &browser.driver);
    }
    if measures("browser") {
        command.arg("--bindings").arg(build::bench_page(shell)?);
        if let Some(folder) = peers(shell)? {
            command.arg("--node-modules").arg(folder);
        }
    }
    shell::run(&mut command)?;
    Ok(ExitCode::SUCCESS)
}

/// Installs the peers of the bench page and returns their folder, or `None` if npm is missing.
fn peers(shell: &Shell) -> Result<Option<PathBuf>> {
    let modules = npm::modules(shell, PACKAGES, "bench")?;
    if modules.is_none() {
        println!("npm or node is not on the search path: TensorFlow.js is not measured.");
    }
    Ok(modules)
}
