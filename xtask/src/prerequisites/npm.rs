//! npm packages that tests and benchmarks use.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::shell::{Shell, find_program, run};

/// Installs the tools that check the pages, as [`modules`] does.
pub fn page_tools(shell: &Shell) -> Result<Option<PathBuf>> {
    modules(shell, "tests/page-tools/package.json", "page-tools")
}

/// Installs the packages of a package.json into `.tools/NAME` and returns the folder of its modules.
///
/// `manifest` is relative to the repository's root. Returns `None` if npm or node is missing.
pub fn modules(shell: &Shell, manifest: &str, name: &str) -> Result<Option<PathBuf>> {
    let (Some(npm), Some(_)) = (find_program(&["npm", "npm.cmd"]), find_program(&["node"])) else {
        return Ok(None);
    };
    let folder = shell.tools().join(name);
    let stamp = folder.join("made-for.txt");
    let wanted = shell.read(manifest)?;
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        write(&folder.join("package.json"), &wanted)?;
        let mut install = shell.command(npm);
        // Scripts of packages are not run, and a lock file would contain this machine's mirror.
        install.args([
            "install",
            "--no-package-lock",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
        ]);
        run(install.current_dir(&folder))?;
        write(&stamp, &wanted)?;
    }
    Ok(Some(folder.join("node_modules")))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}
