//! `cargo xtask bench`: measures the project beside its peers.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::browser::{self, BROWSER_VARIABLE, DRIVER_VARIABLE};
use crate::shell::{Result, Shell, run as start};
use crate::{build, npm};

/// Names the peers and their versions, relative to the repository's root.
const PACKAGES: &str = "bench/page/package.json";

/// Builds what is measured, installs the peers, and measures. Sections come first among the arguments; where there are
/// some and `browser` is none of them, neither browser nor npm is needed.
pub fn run(shell: &Shell, arguments: &[String]) -> Result<ExitCode> {
    build::web(shell)?;
    build::server(shell)?;
    let mut command = shell.cargo(&["run", "--release", "-p", "farsign-bench", "--"]);
    command.args(arguments).arg("--root").arg(shell.root()).arg("--out").arg(shell.target().join("bench"));
    command.env("FARSIGN_BIN", shell.server_binary());
    let all = arguments.first().is_none_or(|first| first.starts_with("--"));
    if all || arguments.iter().any(|argument| argument == "browser") {
        let browser = browser::ensure(shell)?;
        command.env(BROWSER_VARIABLE, &browser.program).env(DRIVER_VARIABLE, &browser.driver);
        command.arg("--bindings").arg(build::bench_page(shell)?);
        if let Some(folder) = peers(shell)? {
            command.arg("--node-modules").arg(folder);
        }
    }
    start(&mut command)?;
    Ok(ExitCode::SUCCESS)
}

/// Installs what the bench page measures beside ours, and gives the folder; none where there is no npm to do it with,
/// which is said.
fn peers(shell: &Shell) -> Result<Option<PathBuf>> {
    let modules = npm::modules(shell, PACKAGES, "bench")?;
    if modules.is_none() {
        println!("There is no npm on the search path, or no node: TensorFlow.js is not measured.");
    }
    Ok(modules)
}
