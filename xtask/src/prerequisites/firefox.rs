//! Firefox and its driver.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::prerequisites::{debian, tools};
use crate::shell::{Shell, executable, find_program};

const BROWSER_NAMES: [&str; 2] = ["firefox", "firefox-esr"];
const BROWSER_PACKAGE: &str = "firefox-esr";

/// The name of the driver's program.
const DRIVER_NAME: &str = "geckodriver";

/// The variable that overrides the browser on the search path; passed on to the browser tests.
pub const BROWSER_VARIABLE: &str = "FARSIGN_FIREFOX";
/// The variable that overrides the driver on the search path; passed on to the browser tests.
pub const DRIVER_VARIABLE: &str = "FARSIGN_GECKODRIVER";

/// Installs Firefox if it is missing and can be installed, and its driver.
pub fn install(shell: &Shell) -> Result<()> {
    let (browser, driver) = prepare(shell)?.with_context(missing)?;
    println!("{} is driven by {}", browser.display(), driver.display());
    Ok(())
}

/// Finds the browser and its driver, installing what is missing and can be installed. `None` if there is no browser.
pub fn prepare(shell: &Shell) -> Result<Option<(PathBuf, PathBuf)>> {
    if browser().is_none() {
        debian::install(shell, &[BROWSER_PACKAGE])?;
    }
    let Some(browser) = browser() else {
        return Ok(None);
    };
    if driver(shell).is_none() {
        tools::install_firefox_driver(shell)?;
    }
    Ok(driver(shell).map(|driver| (browser, driver)))
}

/// Returns the reason why Firefox is not tested.
pub fn missing() -> String {
    format!(
        "Firefox is not on the search path. On Debian: apt-get install {BROWSER_PACKAGE}. Elsewhere, install it and put \
         it on the search path, or set {BROWSER_VARIABLE}"
    )
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
