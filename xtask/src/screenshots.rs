//! `cargo xtask screenshots`: pictures of the page, for whoever changes it.

use crate::shell::{Result, Shell, run as start};
use crate::{build, checks};

/// Names the folder of the pictures to the test that makes them.
const FOLDER_VARIABLE: &str = "FARSIGN_SCREENSHOTS";

/// Builds the page and the server, and makes the pictures.
pub fn run(shell: &Shell) -> Result<()> {
    build::web(shell)?;
    build::server(shell)?;
    let folder = shell.target().join("screenshots");
    let mut command = checks::page_test(shell)?;
    command.args(["screenshots::", "--", "--ignored", "--nocapture"]).env(FOLDER_VARIABLE, &folder);
    start(&mut command)?;
    println!("The pictures are in {}", folder.display());
    Ok(())
}
