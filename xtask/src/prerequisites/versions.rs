//! Reads versions from Cargo.lock and from the output of programs.

use anyhow::{Context as _, Result, ensure};

/// Returns the version of `package` in the text of a Cargo.lock, or the first one of several.
pub fn locked<'lock>(lock: &'lock str, package: &str) -> Option<&'lock str> {
    lock.split("[[package]]")
        .skip(1)
        .find(|entry| field(entry, "name") == Some(package))
        .and_then(|entry| field(entry, "version"))
}

fn field<'entry>(entry: &'entry str, name: &str) -> Option<&'entry str> {
    entry.lines().find_map(|line| {
        line.strip_prefix(name)?
            .trim_start()
            .strip_prefix('=')?
            .trim()
            .strip_prefix('"')?
            .strip_suffix('"')
    })
}

/// Returns the dotted version in a line such as `wasm-pack 0.15.1` or `Chromium 156.0.8078.79 built on Debian`.
pub fn printed(output: &str) -> Option<&str> {
    output.split_whitespace().find(|word| {
        word.contains('.')
            && word
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Returns the number before the first dot of the version in `output`.
fn major(output: &str) -> Option<u32> {
    printed(output)?.split('.').next()?.parse().ok()
}

/// Checks that a browser and a driver have the same major version.
pub fn check_pair(browser: &str, driver: &str) -> Result<()> {
    let unreadable = |program: &str, output: &str| {
        format!("{program} printed no version, but `{}`", output.trim())
    };
    let browser_major = major(browser).with_context(|| unreadable("the browser", browser))?;
    let driver_major = major(driver).with_context(|| unreadable("chromedriver", driver))?;
    ensure!(
        browser_major == driver_major,
        "chromedriver is for version {driver_major}, but the browser is version {browser_major} (`{}` and `{}`); \
         install a pair with the same major version",
        driver.trim(),
        browser.trim()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "\
version = 4

[[package]]
name = \"wasm-bindgen-backend\"
version = \"0.1.9\"

[[package]]
name = \"wasm-bindgen\"
version = \"0.2.130\"
dependencies = [
 \"cfg-if\",
]
";

    #[test]
    fn locked_version_matches_whole_name() {
        assert_eq!(locked(LOCK, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked(LOCK, "wasm-bindgen-backend"), Some("0.1.9"));
        assert_eq!(locked(LOCK, "wasm"), None);
        assert_eq!(locked("", "wasm-bindgen"), None);
    }

    #[test]
    fn wasm_bindgen_versions_agree() {
        let lock = include_str!("../../../Cargo.lock");
        assert!(locked(lock, "wasm-bindgen").is_some());
        assert_eq!(
            locked(lock, "wasm-bindgen"),
            locked(lock, "wasm-bindgen-cli-support")
        );
    }

    #[test]
    fn printed_version_is_found() {
        assert_eq!(printed("wasm-pack 0.15.1\n"), Some("0.15.1"));
        assert_eq!(
            printed("Chromium 156.0.8078.79 built on Debian GNU/Linux 12"),
            Some("156.0.8078.79")
        );
        assert_eq!(printed("no version here. None."), None);
        assert_eq!(printed(""), None);
    }

    #[test]
    fn major_version_is_first_number() {
        assert_eq!(
            major("Chromium 156.0.8078.79 built on Debian GNU/Linux 12 (bookworm)"),
            Some(156)
        );
        assert_eq!(major("Google Chrome 99.0.1 "), Some(99));
        assert_eq!(
            major("ChromeDriver 156.0.8078.79 (a21ce95c24ce-refs/branch-heads/8078@{#1704})"),
            Some(156)
        );
        assert_eq!(major("chromium: command not found"), None);
    }

    #[test]
    fn pair_of_one_major_version_matches() {
        assert!(check_pair("Chromium 156.0.1.1", "ChromeDriver 156.0.9.9 (x)").is_ok());
    }

    #[test]
    fn mismatched_pair_names_both_versions() {
        let message = check_pair("Chromium 156.0.1.1", "ChromeDriver 149.0.9.9")
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("version 149") && message.contains("version 156"),
            "{message}"
        );
        let message = check_pair("Chromium 156.0.1.1", "oops")
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("chromedriver printed no version") && message.contains("oops"),
            "{message}"
        );
    }
}
