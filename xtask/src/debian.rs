//! Installing what a Debian system can install by itself.

use std::path::Path;

use crate::shell::{Result, Shell, capture, find_program, run};

/// Installs packages where that can be done without asking: on a Debian system, run by root. Whether it could.
pub fn install(shell: &Shell, packages: &[&str]) -> Result<bool> {
    let debian = Path::new("/etc/debian_version").exists() && find_program(&["apt-get"]).is_some();
    let root = capture(shell.command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !(debian && root) {
        return Ok(false);
    }
    let apt = |arguments: &[&str]| {
        run(shell.command("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
    };
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], packages].concat())?;
    Ok(true)
}
