//! Finds a browser and its driver, or installs them where that can be done without asking.

use std::fmt;
use std::path::PathBuf;

use crate::shell::{Result, Shell, capture, find_program};
use crate::{debian, versions};

const BROWSER_NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const DRIVER_NAMES: [&str; 2] = ["chromedriver", "chromium.chromedriver"];

/// Set by a person to choose another browser than the one on the search path, and passed on to the browser tests.
pub const BROWSER_VARIABLE: &str = "FARSIGN_CHROMIUM";
/// The same for the driver.
pub const DRIVER_VARIABLE: &str = "FARSIGN_CHROMEDRIVER";

/// A browser and a driver of the same version.
pub struct Browser {
    /// Chromium or Chrome.
    pub program: PathBuf,
    /// chromedriver.
    pub driver: PathBuf,
    version: String,
}

impl fmt::Display for Browser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Browser: {} {}, driven by {}",
            self.program.display(),
            self.version,
            self.driver.display()
        )
    }
}

/// Finds the pair, installing it first where it is missing and this is a Debian system run by root.
pub fn ensure(shell: &Shell) -> Result<Browser> {
    let Some((browser, driver)) = find_pair() else {
        debian::install(shell, &["chromium", "chromium-driver"])?;
        let (browser, driver) = find_pair().ok_or_else(missing)?;
        return check(shell, browser, driver);
    };
    check(shell, browser, driver)
}

fn find_pair() -> Option<(PathBuf, PathBuf)> {
    Some((chosen(BROWSER_VARIABLE, &BROWSER_NAMES)?, chosen(DRIVER_VARIABLE, &DRIVER_NAMES)?))
}

fn chosen(variable: &str, names: &[&str]) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).or_else(|| find_program(names))
}

fn check(shell: &Shell, browser: PathBuf, driver: PathBuf) -> Result<Browser> {
    let browser_says = capture(shell.command(&browser).arg("--version"))?;
    let driver_says = capture(shell.command(&driver).arg("--version"))?;
    versions::browser_fits_driver(&browser_says, &driver_says)?;
    let version = versions::printed(&browser_says).unwrap_or_default().to_owned();
    Ok(Browser { program: browser, driver, version })
}

fn missing() -> String {
    format!(
        "the browser tests need Chromium (or Chrome) and chromedriver of the same version, and they were not both \
         found on the search path. On Debian: apt-get install chromium chromium-driver. Elsewhere install both and \
         put them on the search path, or set {BROWSER_VARIABLE} and {DRIVER_VARIABLE}"
    )
}
