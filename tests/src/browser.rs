//! The browsers of the page tests, and their WebDriver capabilities.

use std::path::Path;

use serde_json::{Map, Value, json};

/// A kind of browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Chromium or Chrome.
    Chromium,
    /// Firefox.
    Firefox,
}

impl Kind {
    /// Returns the browser that `FARSIGN_BROWSER` names, Chromium by default.
    ///
    /// # Panics
    /// If `FARSIGN_BROWSER` names neither `chromium` nor `firefox`.
    pub fn chosen() -> Self {
        match std::env::var("FARSIGN_BROWSER").as_deref() {
            Err(_) | Ok("chromium") => Self::Chromium,
            Ok("firefox") => Self::Firefox,
            Ok(other) => panic!("FARSIGN_BROWSER: expected chromium or firefox, found {other}"),
        }
    }
}

/// Returns the capabilities of a headless Firefox that writes the consoles of pages and workers to its output. The driver
/// creates a fresh profile and keeps no log.
pub fn firefox_capabilities(browser: &Path) -> Map<String, Value> {
    let preferences = json!({
        "devtools.console.stdout.content": true,
        "devtools.console.stdout.chrome": false,
        "browser.dom.window.dump.enabled": true,
    });
    let capabilities = json!({
        "browserName": "firefox",
        "moz:firefoxOptions": { "binary": browser, "args": ["-headless"], "prefs": preferences },
    });
    let Value::Object(capabilities) = capabilities else {
        unreachable!("written as an object")
    };
    capabilities
}

/// Returns the capabilities of a headless Chromium that records the console, started with these further arguments.
pub fn capabilities(browser: &Path, profile: &Path, further: &[&str]) -> Map<String, Value> {
    let mut arguments = vec![
        "--headless".to_owned(),
        "--disable-gpu".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        format!("--user-data-dir={}", profile.display()),
    ];
    arguments.extend(further.iter().map(|&argument| argument.to_owned()));
    if is_root() {
        arguments.push("--no-sandbox".to_owned()); // Chromium has no sandbox for root
    }
    let capabilities = json!({
        "browserName": "chrome",
        "goog:chromeOptions": { "binary": browser, "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    let Value::Object(capabilities) = capabilities else {
        unreachable!("written as an object")
    };
    capabilities
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // The owner of a new file is the current user.
    tempfile::tempfile()
        .and_then(|file| file.metadata())
        .is_ok_and(|file| file.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
