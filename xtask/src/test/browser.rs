//! Steps that test the page in a browser.

use std::process::Command;

use anyhow::Result;

use super::{Outcome, with_program};
use crate::prerequisites::{chromium, firefox, npm};
use crate::shell::{Shell, run};

/// The variable that names axe-core to the tests of accessibility.
const AXE_VARIABLE: &str = "FARSIGN_AXE";

/// The variable that names the kind of browser to the tests of the page.
const BROWSER_KIND_VARIABLE: &str = "FARSIGN_BROWSER";

/// The modules of tests that `firefox-essentials` runs.
const FIREFOX_ESSENTIALS: [&str; 5] = [
    "training::",
    "consent::",
    "resilience::",
    "console::",
    "throttle::",
];

pub fn chromium(shell: &Shell) -> Result<Outcome> {
    let mut command = browser_test(shell)?;
    match npm::page_tools(shell)? {
        Some(modules) => _ = command.env(AXE_VARIABLE, modules.join("axe-core").join("axe.min.js")),
        None => println!("npm or node is not on the search path: accessibility is not tested."),
    }
    run(command.args(["--", "--nocapture"]))?;
    Ok(Outcome::Passed)
}

/// Tests the page in Firefox.
pub fn firefox(shell: &Shell) -> Result<Outcome> {
    test_in_firefox(shell, &[])
}

/// Tests in Firefox what a volunteer depends on; the other tests find little that the same tests in Chromium do not.
pub fn firefox_essentials(shell: &Shell) -> Result<Outcome> {
    test_in_firefox(shell, &FIREFOX_ESSENTIALS)
}

/// Runs the tests whose names contain one of these texts, or all of them.
fn test_in_firefox(shell: &Shell, filters: &[&str]) -> Result<Outcome> {
    let Some((program, driver)) = firefox::prepare(shell)? else {
        return Ok(Outcome::Skipped(firefox::missing()));
    };
    let mut command = browser_test_command(shell);
    command.env(BROWSER_KIND_VARIABLE, "firefox");
    command
        .env(firefox::BROWSER_VARIABLE, program)
        .env(firefox::DRIVER_VARIABLE, driver);
    run(command.args(["--", "--nocapture"]).args(filters))?;
    Ok(Outcome::Passed)
}

/// Creates the command that tests the page in Chromium.
pub fn browser_test(shell: &Shell) -> Result<Command> {
    let browser = chromium::prepare(shell)?;
    let mut command = browser_test_command(shell);
    command.env(chromium::BROWSER_VARIABLE, &browser.program);
    command.env(chromium::DRIVER_VARIABLE, &browser.driver);
    Ok(command)
}

fn browser_test_command(shell: &Shell) -> Command {
    let mut command = shell.cargo_workspace("test");
    with_program(shell, command.args(["--test", "browser"]));
    command
}
