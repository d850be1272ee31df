//! What a driver is told about the browser that it is to start.

use std::path::Path;

use serde_json::{Map, Value, json};

/// Capabilities of a headless browser with a fresh profile, whose console is kept.
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
