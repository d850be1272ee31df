//! Text files that commands read.

use std::io;
use std::path::Path;

use anyhow::Context;

/// Reads a text file, or standard input for `-`.
///
/// # Errors
/// Returns an error if the file cannot be read, or is no text.
pub fn read(path: &Path) -> anyhow::Result<String> {
    if path.as_os_str() == "-" {
        return farsign_files::read_text_from(io::stdin().lock())
            .context("could not read standard input");
    }
    farsign_files::read_text(path).with_context(|| format!("could not read {}", path.display()))
}
