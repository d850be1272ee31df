//! Text files that commands read.

use std::io;
use std::path::Path;

use anyhow::Context;

/// Reads a text file, or standard input for `-`.
///
/// # Errors
/// Returns an error if the file cannot be read, or is no text.
pub fn read(path: &Path) -> anyhow::Result<String> {
    let text = if path.as_os_str() == "-" {
        farsign_files::read_text_from(io::stdin().lock())
    } else {
        farsign_files::read_text(path)
    };
    text.with_context(|| format!("could not read {}", path.display()))
}
