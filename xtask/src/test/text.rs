//! Steps on text: spelling, the page's scripts, and the dependencies' licenses and advisories.

use anyhow::Result;

use super::Outcome;
use crate::prerequisites::{npm, python};
use crate::shell::{Shell, capture, executable, run};

/// The spelling checker, as a Python package with a compiled program inside.
const TYPOS: &str = "typos==1.52.0\n";

pub fn typos(shell: &Shell) -> Result<Outcome> {
    let Some(programs) = python::programs(shell, "typos", TYPOS)? else {
        return Ok(Outcome::Skipped(format!(
            "needs Python with {}",
            TYPOS.trim()
        )));
    };
    run(&mut shell.command(programs.join(executable("typos"))))?;
    Ok(Outcome::Passed)
}

/// Checks types, rules and format of the page's scripts.
pub fn page(shell: &Shell) -> Result<Outcome> {
    let Some(modules) = npm::page_tools(shell)? else {
        return Ok(Outcome::Skipped("needs npm and node".to_owned()));
    };
    let programs = modules.join(".bin");
    run(shell
        .command(programs.join("tsc"))
        .args(["--project", "www/jsconfig.json"]))?;
    run(shell.command(programs.join("biome")).args(["ci", "www"]))?;
    Ok(Outcome::Passed)
}

/// Checks dependencies with cargo-deny, and with its database of advisories if that can be fetched.
pub fn deny(shell: &Shell) -> Result<Outcome> {
    if capture(&mut shell.cargo(&["deny", "--version"])).is_err() {
        return Ok(Outcome::Skipped(
            "needs cargo-deny: cargo install --locked cargo-deny".to_owned(),
        ));
    }
    run(&mut shell.cargo(&["deny", "check", "bans", "licenses", "sources"]))?;
    if let Err(error) = capture(&mut shell.cargo(&["deny", "fetch", "db"])) {
        println!("{error:#}");
        return Ok(Outcome::Skipped(
            "bans, licenses and sources passed; needs the advisory database".to_owned(),
        ));
    }
    run(&mut shell.cargo(&["deny", "check", "advisories"]))?;
    Ok(Outcome::Passed)
}
