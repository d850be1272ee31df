//! A browser's WebDriver server as a child process.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::browser::Kind;
use crate::child_process::ChildProcess;

/// Time for the driver to shut down.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the path of a browser's driver.
///
/// # Panics
/// If the driver is not installed.
pub fn driver_program(kind: Kind) -> PathBuf {
    match kind {
        Kind::Chromium => find_program(
            "FARSIGN_CHROMEDRIVER",
            &["chromedriver", "chromium.chromedriver"],
        ),
        Kind::Firefox => find_program("FARSIGN_GECKODRIVER", &["geckodriver"]),
    }
}

/// Returns the path of a browser.
///
/// # Panics
/// If the browser is not installed.
pub fn browser_program(kind: Kind) -> PathBuf {
    let chromium = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    match kind {
        Kind::Chromium => find_program("FARSIGN_CHROMIUM", &chromium),
        Kind::Firefox => find_program("FARSIGN_FIREFOX", &["firefox", "firefox-esr"]),
    }
}

fn find_program(variable: &str, names: &[&str]) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let candidates = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = env::var_os(variable)
        .map(PathBuf::from)
        .or_else(|| candidates.into_iter().find(|c| c.is_file()));
    match found {
        Some(program) if program.is_file() => program,
        Some(program) => panic!(
            "{variable}: expected a program, found {}",
            program.display()
        ),
        None => {
            panic!("expected one of {names:?} on PATH; `cargo xtask test browser` installs them")
        }
    }
}

/// A chromedriver or geckodriver. Dropping it ends the driver and the browsers that a chromedriver started.
#[derive(Debug)]
pub struct DriverProcess {
    process: ChildProcess,
    port: u16,
    /// Folder of all files that the driver and its browsers create.
    folder: TempDir,
}

impl DriverProcess {
    /// Starts the installed driver of a browser on a free port.
    pub fn start(kind: Kind) -> Self {
        Self::start_program(&driver_program(kind))
    }

    /// Starts a driver on a free port.
    pub fn start_program(program: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(program);
        let mut process = ChildProcess::start(command.arg("--port=0").env("TMPDIR", folder.path()));
        let port = process.find_line("its port", |line| {
            let chromium = line.strip_prefix("ChromeDriver was started successfully on port ");
            let firefox = || Some(line.split_once("Listening on 127.0.0.1:")?.1);
            chromium
                .and_then(|port| port.strip_suffix('.'))
                .or_else(firefox)?
                .trim()
                .parse()
                .ok()
        });
        Self {
            process,
            port,
            folder,
        }
    }

    /// Returns the folder for the profile of a new browser.
    pub fn profile(&self) -> PathBuf {
        self.folder.path().join("profile")
    }

    /// Waits until the driver or its browser has printed each text, and returns all lines so far.
    pub fn wait_for_lines(&mut self, texts: &[&str]) -> &[String] {
        self.process.wait_for_lines(texts)
    }

    /// Returns the URL for WebDriver commands.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for DriverProcess {
    fn drop(&mut self) {
        // A killed chromedriver leaves its browsers running, so it is asked to shut down. A geckodriver has no such
        // request, and its browser ended with the session.
        let request = ureq::get(format!("{}/shutdown", self.url())).config();
        let request = request
            .timeout_global(Some(SHUTDOWN_TIMEOUT))
            .proxy(None)
            .build();
        if request.call().is_ok() && !self.process.exits_within(SHUTDOWN_TIMEOUT) {
            eprintln!("the driver did not shut down; it is killed, and its browser may still run");
        }
    }
}
