//! The page's tests in Firefox, where it and its driver are.

use std::path::PathBuf;

use crate::shell::{Result, Shell, executable, find_program, run};
use crate::{checks, debian, tools};

const BROWSER_NAMES: [&str; 2] = ["firefox", "firefox-esr"];
const BROWSER_PACKAGE: &str = "firefox-esr";
const DRIVER_NAME: &str = "geckodriver";

/// Tells the tests of the page which browser they are for.
const KIND_VARIABLE: &str = "FARSIGN_BROWSER";
/// Set by a person to choose another Firefox than the one on the search path, and passed on to the tests.
const BROWSER_VARIABLE: &str = "FARSIGN_FIREFOX";
/// The same for geckodriver.
const DRIVER_VARIABLE: &str = "FARSIGN_GECKODRIVER";

/// Runs the page's tests, or says why it could not. Nothing is installed: to compile the driver takes minutes, and
/// `cargo xtask firefox` does it when asked.
pub fn test(shell: &Shell) -> Result<()> {
    let (Some(browser), Some(driver)) = (browser(), driver(shell)) else {
        println!("There is no Firefox, or no {DRIVER_NAME}: SKIPPED, the page is not tested in Firefox.");
        println!("`cargo xtask firefox` installs what is missing.");
        return Ok(());
    };
    let mut command = checks::page_test_command(shell);
    command.env(KIND_VARIABLE, "firefox").env(BROWSER_VARIABLE, browser).env(DRIVER_VARIABLE, driver);
    run(command.args(["--", "--nocapture"]))
}

/// Installs Firefox where that can be done without asking, and compiles its driver.
pub fn install(shell: &Shell) -> Result<()> {
    if browser().is_none() {
        debian::install(shell, &[BROWSER_PACKAGE])?;
    }
    if browser().is_none() {
        return Err(format!(
            "there is no Firefox on the search path. On Debian: apt-get install {BROWSER_PACKAGE}. Elsewhere install \
             it and put it on the search path, or set {BROWSER_VARIABLE}"
        ));
    }
    if find_program(&[DRIVER_NAME]).is_some() {
        println!("{DRIVER_NAME} is there");
        return Ok(());
    }
    tools::install_firefox_driver(shell)
}

fn browser() -> Option<PathBuf> {
    std::env::var_os(BROWSER_VARIABLE).map(PathBuf::from).or_else(|| find_program(&BROWSER_NAMES))
}

fn driver(shell: &Shell) -> Option<PathBuf> {
    let compiled = tools::programs(shell).join(executable(DRIVER_NAME));
    let chosen = std::env::var_os(DRIVER_VARIABLE).map(PathBuf::from);
    chosen.or_else(|| find_program(&[DRIVER_NAME])).or_else(|| compiled.is_file().then_some(compiled))
}
