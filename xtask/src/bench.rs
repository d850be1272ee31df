//! `cargo xtask bench`: measures the project beside its peers.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::browser::{self, BROWSER_VARIABLE, DRIVER_VARIABLE};
use crate::build;
use crate::shell::{Result, Shell, find_program, run as start};

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
    let (Some(npm), Some(_)) = (find_program(&["npm", "npm.cmd"]), find_program(&["node"])) else {
        println!("There is no npm on the search path, or no node: TensorFlow.js is not measured.");
        return Ok(None);
    };
    let folder = shell.tools().join("bench");
    let (modules, stamp) = (folder.join("node_modules"), folder.join("made-for.txt"));
    let wanted =
        fs::read_to_string(shell.root().join(PACKAGES)).map_err(|error| format!("{PACKAGES}: {error}"))?;
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        let write =
            |path: PathBuf| fs::write(&path, &wanted).map_err(|error| format!("{}: {error}", path.display()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        write(folder.join("package.json"))?;
        let mut install = shell.command(npm);
        // Scripts of packages are not run, and a lock file would name where this machine downloads from.
        install.args(["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]);
        start(install.current_dir(&folder))?;
        write(stamp)?;
    }
    Ok(Some(modules))
}
