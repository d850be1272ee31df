//! A Python environment for the programs that are written in Python, where Python is there.

use std::fs;
use std::path::PathBuf;

use crate::shell::{Result, Shell, capture, find_program, run};

/// Names the interpreter to the tests of the programs in Python.
pub const PYTHON_VARIABLE: &str = "FARSIGN_PYTHON";

/// What they need, relative to the repository's root.
const REQUIREMENTS: &str = "tests/third-party/requirements.txt";

/// Makes an environment with what they need, and gives its interpreter; none where there is no Python to
/// make it with, which is said.
pub fn prepare(shell: &Shell) -> Result<Option<PathBuf>> {
    let Some(python) = find_program(&["python3", "python"]) else {
        println!("There is no Python on the search path: the programs in Python are not tested.");
        return Ok(None);
    };
    if let Err(message) = capture(shell.command(&python).args(["-c", "import ensurepip, venv"])) {
        println!("{message}");
        println!(
            "This Python makes no environments (on Debian, `apt-get install python3-venv` helps): the programs in"
        );
        println!("Python are not tested.");
        return Ok(None);
    }
    let environment = shell.tools().join("python");
    let stamp = environment.join("made-for.txt");
    let wanted = fs::read_to_string(shell.root().join(REQUIREMENTS))
        .map_err(|error| format!("{REQUIREMENTS}: {error}"))?;
    let programs = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        run(shell.command(&python).args(["-m", "venv", "--clear"]).arg(&environment))?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS];
        if let Err(message) = run(shell.command(programs.join("python")).args(install)) {
            println!("{message}");
            println!("What {REQUIREMENTS} names cannot be had: the programs in Python are not tested.");
            return Ok(None);
        }
        fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    }
    Ok(Some(programs.join("python")))
}
