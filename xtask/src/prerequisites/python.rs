//! A Python environment.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::shell::{Shell, capture, executable, find_program, run};

/// Creates an environment `.tools/NAME` with `requirements` and returns the folder of its programs.
///
/// `requirements` is the text of a requirements file. Returns `None`, after printing the reason, if Python is missing or
/// cannot install the packages.
pub fn programs(shell: &Shell, name: &str, requirements: &str) -> Result<Option<PathBuf>> {
    let Some(python) = find_program(&["python3", "python"]) else {
        println!("Python is not on the search path.");
        return Ok(None);
    };
    if let Err(error) = capture(
        shell
            .command(&python)
            .args(["-c", "import ensurepip, venv"]),
    ) {
        println!("{error:#}");
        println!(
            "This Python cannot create environments (on Debian: apt-get install python3-venv)."
        );
        return Ok(None);
    }
    let environment = shell.tools().join(name);
    let stamp = environment.join("made-for.txt");
    let programs = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    if fs::read_to_string(&stamp).is_ok_and(|made_for| made_for == requirements) {
        return Ok(Some(programs));
    }
    run(shell
        .command(&python)
        .args(["-m", "venv", "--clear"])
        .arg(&environment))?;
    let file = environment.join("requirements.txt");
    fs::write(&file, requirements).with_context(|| file.display().to_string())?;
    let mut install = shell.command(programs.join(executable("python")));
    install
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ])
        .arg(&file);
    if let Err(error) = run(&mut install) {
        println!("{error:#}");
        return Ok(None);
    }
    fs::write(&stamp, requirements).with_context(|| stamp.display().to_string())?;
    Ok(Some(programs))
}
