//! `cargo xtask screenshots`: pictures of the page, for designers and reviewers.

use anyhow::Result;

use crate::shell::{self, Shell};
use crate::{build, test};

/// The variable that names the folder of the pictures to the test that makes them.
const FOLDER_VARIABLE: &str = "FARSIGN_SCREENSHOTS";

/// Builds the page and the server, and makes the pictures.
pub fn run(shell: &Shell) -> Result<()> {
    build::web(shell)?;
    build::tested(shell)?;
    let folder = shell.target().join("screenshots");
    let mut command = test::browser_test(shell)?;
    command
        .args(["screenshots::", "--", "--ignored", "--nocapture"])
        .env(FOLDER_VARIABLE, &folder);
    shell::run(&mut command)?;
    println!("The pictures are in {}", folder.display());
    Ok(())
}
