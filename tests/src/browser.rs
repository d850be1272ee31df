//! Which browser the page is tested in, and what its driver is told.

use std::path::Path;

use serde_json::{Map, Value, json};

/// A browser that the page is tested in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Chromium or Chrome.
    Chromium,
    /// Firefox.
    Firefox,
}

impl Kind {
    /// What `FARSIGN_BROWSER` names; Chromium where it names nothing.
    ///
    /// # Panics
    /// When it names neither `chromium` nor `firefox`.
    pub fn chosen() -> Self {
        match std::env::var("FARSIGN_BROWSER").as_deref() {
            Err(_) | Ok("chromium") => Self::Chromium,
            Ok("firefox") => Self::Firefox,
            Ok(other) => panic!("FARSIGN_BROWSER: expected chromium or firefox, found {other}"),
        }
    }
}

/// Capabilities of a headless Firefox that writes to its output whatever pages and workers write to their consoles: its
/// driver makes a fresh profile, and keeps no log.
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
    let Value::Object(capabilities) = capabilities else { unreachable!("written as an object") };
    capabilities
}

/// Capabilities of a headless Chromium with a fresh profile, whose console is kept.
pub fn capabilities(browser: &Path, profile: &Path) -> Map<String, Value> {
    let mut arguments = vec![
        "--headless".to_owned(),
        "--disable-gpu".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        format!("--user-data-dir={}", profile.display()),
    ];
    if is_root() {
        arguments.push("--no-sandbox".to_owned()); // Chromium has no sandbox for root and refuses to start
    }
    let capabilities = json!({
        "browserName": "chrome",
        "goog:chromeOptions": { "binary": browser, "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    let Value::Object(capabilities) = capabilities else { unreachable!("written as an object") };
    capabilities
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // A file one has just made is one's own.
    tempfile::tempfile().and_then(|file| file.metadata()).is_ok_and(|file| file.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
