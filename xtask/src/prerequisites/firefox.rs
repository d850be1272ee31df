//! Firefox and its driver.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::prerequisites::{debian, tools};
use crate::shell::{Shell, executable, find_program};

const BROWSER_NAMES: [&str; 2] = ["firefox", "firefox-esr"];
const BROWSER_PACKAGE: &str = "firefox-esr";

/// The name of the driver's program.
pub const DRIVER_NAME: &str = "geckodriver";

/// The variable that overrides the browser on the search path; passed on to the browser tests.
pub const BROWSER_VARIABLE: &str = "FARSIGN_FIREFOX";
/// The variable that overrides the driver on the search path; passed on to the browser tests.
pub const DRIVER_VARIABLE: &str = "FARSIGN_GECKODRIVER";

/// Installs Firefox if it is missing and can be installed, and compiles its driver.
pub fn install(shell: &Shell) -> Result<()> {
    if browser().is_none() {
        debian::install(shell, &[BROWSER_PACKAGE])?;
    }
    ensure!(
        browser().is_some(),
        "Firefox is not on the search path. On Debian: apt-get install {BROWSER_PACKAGE}. Elsewhere, install it and put \
         it on the search path, or set {BROWSER_VARIABLE}"
    );
    if find_program(&[DRIVER_NAME]).is_some() {
        println!("{DRIVER_NAME} is installed");
        return Ok(());
    }
    tools::install_firefox_driver(shell)
}

/// Returns the browser and its driver, or `None` if either is missing.
pub fn find(shell: &Shell) -> Option<(PathBuf, PathBuf)> {
    Some((browser()?, driver(shell)?))
}

fn browser() -> Option<PathBuf> {
    std::env::var_os(BROWSER_VARIABLE)
        .map(PathBuf::from)
        .or_else(|| find_program(&BROWSER_NAMES))
}

fn driver(shell: &Shell) -> Option<PathBuf> {
    let compiled = tools::programs(shell).join(executable(DRIVER_NAME));
    let chosen = std::env::var_os(DRIVER_VARIABLE).map(PathBuf::from);
    chosen
        .or_else(|| find_program(&[DRIVER_NAME]))
        .or_else(|| compiled.is_file().then_some(compiled))
}
