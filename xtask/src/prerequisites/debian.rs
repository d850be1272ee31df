//! Installs Debian packages.

use std::path::Path;

use anyhow::Result;

use crate::shell::{Shell, capture, find_program, run};

/// Installs packages if this is a Debian system and this program runs as root. Returns whether both hold.
pub fn install(shell: &Shell, packages: &[&str]) -> Result<bool> {
    let debian = Path::new("/etc/debian_version").exists() && find_program(&["apt-get"]).is_some();
    let root = capture(shell.command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !(debian && root) {
        return Ok(false);
    }
    let apt = |arguments: &[&str]| {
        run(shell
            .command("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments))
    };
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], packages].concat())?;
    Ok(true)
}
