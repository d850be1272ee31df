//! `cargo xtask bench`: compares the project with its peers.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::build;
use crate::lint::measured_files;
use crate::prerequisites::chromium::{self, BROWSER_VARIABLE, DRIVER_VARIABLE};
use crate::prerequisites::npm;
use crate::shell::{self, Shell, executable};

/// The peers and their versions, relative to the repository's root.
const PACKAGES: &str = "bench/page/package.json";

/// Runs `cargo xtask bench` with its arguments.
pub fn run(shell: &Shell, arguments: &[String]) -> Result<ExitCode> {
    match arguments {
        [only] if only == "--check" => {
            build::web(shell)?;
            build::tested(shell)?;
            check(shell)?;
        }
        [only] if only == "--outdated" => measured_files::mark_outdated(shell)?,
        [_, ..]
            if arguments
                .iter()
                .any(|a| a == "--check" || a == "--outdated") =>
        {
            bail!("`--check` and `--outdated` take no other arguments")
        }
        _ => measure(shell, arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares a few ratios with their bounds. The program `farsign` is built beforehand.
///
/// The algorithm is compiled as in a release, because its speed depends on that. The server and its peer are compiled as
/// for tests, which takes less time.
pub fn check(shell: &Shell) -> Result<()> {
    shell::run(&mut shell.cargo(&["run", "--release", "-p", "farsign-bench-check"]))?;
    let program = "farsign-bench";
    shell::run(shell.cargo_workspace("build").args(["--bin", program]))?;
    let mut command = shell.command(shell.target().join("debug").join(executable(program)));
    command
        .arg("--check")
        .env("FARSIGN_BIN", shell.tested_program());
    shell::run(with_folders(shell, &mut command))
}

/// Builds the contenders, installs the peers and measures. Only the sections `browser` and `fleet` need a browser, and `browser` npm.
fn measure(shell: &Shell, arguments: &[String]) -> Result<()> {
    let digests = measured_files::digests(shell)?; // before the files can change
    build::web(shell)?;
    build::release(shell)?;
    let mut command = shell.cargo(&["run", "--release", "-p", "farsign-bench", "--"]);
    with_folders(shell, command.args(arguments));
    for (section, digest) in digests {
        command.arg(format!("--files-digest={section}={digest}"));
    }
    command.env("FARSIGN_BIN", shell.release_program());
    let all = !arguments
        .iter()
        .any(|name| measured_files::is_section(name));
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
    shell::run(&mut command)
}

/// Names the repository and the folder of the report to `farsign-bench`.
fn with_folders<'command>(shell: &Shell, command: &'command mut Command) -> &'command mut Command {
    command.arg("--root").arg(shell.root());
    command.arg("--out").arg(shell.target().join("bench"))
}

/// Installs the peers of the bench page and returns their folder, or `None` if npm is missing.
fn peers(shell: &Shell) -> Result<Option<PathBuf>> {
    let modules = npm::modules(shell, PACKAGES, "bench")?;
    if modules.is_none() {
        println!("npm or node is not on the search path: TensorFlow.js is not measured.");
    }
    Ok(modules)
}
