//! `cargo xtask results`: runs the lab's scenarios and reports on them.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::build;
use crate::shell::{self, Shell};

/// The scenarios that run if none is named, shorter ones first.
const SCENARIOS: [&str; 12] = [
    "versions-64",
    "versions-1000",
    "sized",
    "noniid",
    "batch",
    "verified",
    "batch-long",
    "mlp-verified",
    "zeroth",
    "mlp",
    "softmax",
    "mlp-long",
];

/// Runs scenarios into `target/results`, resuming interrupted ones, and writes reports into `docs/results`.
///
/// Arguments are names of scenarios, followed by those of `farsign lab run`.
pub fn run(shell: &Shell, arguments: &[String]) -> Result<ExitCode> {
    build::release(shell)?;
    let names = arguments
        .iter()
        .take_while(|argument| !argument.starts_with("--"))
        .count();
    let (named, options) = arguments.split_at(names);
    let all = SCENARIOS.map(String::from);
    let results = shell.target().join("results");
    let reports = shell.root().join("docs/results");
    fs::create_dir_all(&reports).with_context(|| reports.display().to_string())?;
    for name in if named.is_empty() { &all[..] } else { named } {
        let scenario = shell
            .root()
            .join("lab/scenarios")
            .join(format!("{name}.toml"));
        let out = results.join(name);
        let report = reports.join(format!("{name}.md"));
        let mut command = shell.command(shell.release_program());
        shell::run(
            command
                .args(["lab", "run"])
                .arg(scenario)
                .arg("--out")
                .arg(&out)
                .args(options),
        )?;
        let mut command = shell.command(shell.release_program());
        shell::run(
            command
                .args(["lab", "report"])
                .arg(&out)
                .arg("--out")
                .arg(report),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
