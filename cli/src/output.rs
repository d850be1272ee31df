//! The file that a command writes its result to.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::streams;

/// The destination of a result: a file, or standard output as `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    StandardOutput,
    File(PathBuf),
}

impl From<OsString> for Output {
    fn from(path: OsString) -> Self {
        let path = PathBuf::from(path);
        if path.as_os_str() == "-" || farsign_files::is_standard_output(&path) {
            Self::StandardOutput
        } else {
            Self::File(path)
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandardOutput => write!(f, "standard output"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Output {
    /// Writes binary content, and reports its size.
    ///
    /// # Errors
    /// Returns an error if the content cannot be written completely, or would be shown on a terminal.
    pub fn write(&self, content: &[u8]) -> anyhow::Result<()> {
        let report = format!("{self}: {} bytes", content.len());
        match self {
            Self::StandardOutput => {
                let mut output = io::stdout().lock();
                if output.is_terminal() {
                    bail!("expected a file or a pipe for binary content, found a terminal");
                }
                output
                    .write_all(content)
                    .and_then(|()| output.flush())
                    .context("could not write to standard output")?;
                streams::note(report);
                Ok(())
            }
            Self::File(path) => {
                farsign_files::replace(path, content)
                    .with_context(|| format!("could not write {}", path.display()))?;
                streams::print(format_args!("{report}\n"))
            }
        }
    }
}

/// Returns a parser of paths other than `-`, which is standard output where that is possible.
pub fn path_parser() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|path| {
        if path == "-" {
            Err("expected a path, found standard output; a file or folder of this name is ./-")
        } else {
            Ok(PathBuf::from(path))
        }
    })
}
