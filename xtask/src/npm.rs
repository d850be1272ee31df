//! Packages of npm that tests and the bench use, where npm is there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{Result, Shell, find_program, run};

/// Installs what a package.json names (`manifest`, relative to the repository's root) into a folder of this name under
/// .tools, and gives the folder of its modules; none where there is no npm to do it with.
pub fn modules(shell: &Shell, manifest: &str, name: &str) -> Result<Option<PathBuf>> {
    let (Some(npm), Some(_)) = (find_program(&["npm", "npm.cmd"]), find_program(&["node"])) else {
        return Ok(None);
    };
    let folder = shell.tools().join(name);
    let (modules, stamp) = (folder.join("node_modules"), folder.join("made-for.txt"));
    let wanted =
        fs::read_to_string(shell.root().join(manifest)).map_err(|error| format!("{manifest}: {error}"))?;
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        write(&folder.join("package.json"), &wanted)?;
        let mut install = shell.command(npm);
        // Scripts of packages are not run, and a lock file would name where this machine downloads from.
        install.args(["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]);
        run(install.current_dir(&folder))?;
        write(&stamp, &wanted)?;
    }
    Ok(Some(modules))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
