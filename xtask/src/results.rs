//! `cargo xtask results`: the lab's scenarios, run and written up.

use std::fs;
use std::process::ExitCode;

use crate::build;
use crate::shell::{Result, Shell, run as start};

/// Scenarios that are run when none is named, shorter ones first.
const SCENARIOS: [&str; 9] =
    ["noniid", "batch", "verified", "batch-long", "mlp-verified", "zeroth", "mlp", "softmax", "mlp-long"];

/// Runs scenarios into `target/results`, going on where an earlier attempt was interrupted, and writes a report on each
/// into `docs/results`. Arguments are names of scenarios, and then those of `farsign lab run`.
pub fn run(shell: &Shell, arguments: &[String]) -> Result<ExitCode> {
    build::server(shell)?;
    let names = arguments.iter().take_while(|argument| !argument.starts_with("--")).count();
    let (named, options) = arguments.split_at(names);
    let all = SCENARIOS.map(String::from);
    let results = shell.target().join("results");
    let reports = shell.root().join("docs/results");
    fs::create_dir_all(&reports).map_err(|error| format!("{}: {error}", reports.display()))?;
    for name in if named.is_empty() { &all[..] } else { named } {
        let scenario = shell.root().join("lab/scenarios").join(format!("{name}.toml"));
        let (out, report) = (results.join(name), reports.join(format!("{name}.md")));
        let mut command = shell.command(shell.server_binary());
        start(command.args(["lab", "run"]).arg(scenario).arg("--out").arg(&out).args(options))?;
        let mut command = shell.command(shell.server_binary());
        start(command.args(["lab", "report"]).arg(&out).arg("--out").arg(report))?;
    }
    Ok(ExitCode::SUCCESS)
}
