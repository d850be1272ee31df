//! Chromium and its driver.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::prerequisites::{debian, versions};
use crate::shell::{Shell, capture, find_program};

const BROWSER_NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const DRIVER_NAMES: [&str; 2] = ["chromedriver", "chromium.chromedriver"];

/// The variable that overrides the browser on the search path; passed on to the browser tests.
pub const BROWSER_VARIABLE: &str = "FARSIGN_CHROMIUM";
/// The variable that overrides the driver on the search path; passed on to the browser tests.
pub const DRIVER_VARIABLE: &str = "FARSIGN_CHROMEDRIVER";

/// A browser and a driver of the same version.
pub struct Browser {
    /// Chromium or Chrome.
    pub program: PathBuf,
    /// The driver, chromedriver.
    pub driver: PathBuf,
    version: String,
}

impl fmt::Display for Browser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.display();
        let driver = self.driver.display();
        write!(
            formatter,
            "Browser: {program} {}, driven by {driver}",
            self.version
        )
    }
}

/// Finds the pair, installing it if it is missing and can be installed.
pub fn prepare(shell: &Shell) -> Result<Browser> {
    if find_pair().is_none() {
        debian::install(shell, &["chromium", "chromium-driver"])?;
    }
    let (program, driver) = find_pair().with_context(missing)?;
    let program_output = capture(shell.command(&program).arg("--version"))?;
    let driver_output = capture(shell.command(&driver).arg("--version"))?;
    versions::check_pair(&program_output, &driver_output)?;
    let version = versions::printed(&program_output)
        .unwrap_or_default()
        .to_owned();
    Ok(Browser {
        program,
        driver,
        version,
    })
}

fn find_pair() -> Option<(PathBuf, PathBuf)> {
    Some((
        find(BROWSER_VARIABLE, &BROWSER_NAMES)?,
        find(DRIVER_VARIABLE, &DRIVER_NAMES)?,
    ))
}

fn find(variable: &str, names: &[&str]) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .or_else(|| find_program(names))
}

fn missing() -> String {
    format!(
        "the browser tests need Chromium (or Chrome) and chromedriver of the same version, and both were not found on \
         the search path. On Debian: apt-get install chromium chromium-driver. Elsewhere, install both and put them on \
         the search path, or set {BROWSER_VARIABLE} and {DRIVER_VARIABLE}"
    )
}
