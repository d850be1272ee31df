//! The optional file of bans.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use farsign_files::{ReadTextError, read_text, replace};
use parking_lot::Mutex;

use crate::admission::bans::{Bans, ParseBanError};

/// An error of a ban file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum BanFileError {
    #[error("could not read {path}: {source}")]
    Read {
        path: PathBuf,
        source: ReadTextError,
    },
    #[error("{path}: {source}")]
    Line {
        path: PathBuf,
        source: ParseBanError,
    },
    #[error("could not write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
}

/// Reads a ban file. A missing file has no bans.
///
/// # Errors
/// Returns an error if the file cannot be read or has an invalid line.
pub fn read(path: &Path) -> Result<Bans, BanFileError> {
    match read_text(path) {
        Ok(text) => Bans::read(&text).map_err(|source| BanFileError::Line {
            path: path.to_owned(),
            source,
        }),
        Err(error) if error.is_not_found() => Ok(Bans::default()),
        Err(source) => Err(BanFileError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The file that bans are written to, if there is one.
#[derive(Debug)]
pub(super) struct BanFile {
    path: Option<PathBuf>,
    /// [`Bans::revision`] of the bans in the file. Locked during a write, so that an older list never replaces a newer
    /// one.
    written: Mutex<u64>,
    is_failing: AtomicBool,
}

impl BanFile {
    /// Returns the state of a file that contains these bans.
    pub(super) fn new(path: Option<PathBuf>, bans: &Bans) -> Self {
        Self {
            path,
            written: Mutex::new(bans.revision()),
            is_failing: AtomicBool::new(false),
        }
    }

    /// Returns whether the last write failed; `None` if there is no file.
    pub(super) fn is_failing(&self) -> Option<bool> {
        self.path.as_ref()?;
        Some(self.is_failing.load(Ordering::Relaxed))
    }

    /// Writes the bans, unless the file has them. Blocks the thread.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub(super) fn save(&self, bans: &Mutex<Bans>) -> Result<(), BanFileError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let mut written = self.written.lock();
        let (revision, text) = {
            let bans = bans.lock();
            if *written == bans.revision() {
                return Ok(());
            }
            (bans.revision(), bans.write())
        };
        let result = replace(path, text.as_bytes());
        self.is_failing.store(result.is_err(), Ordering::Relaxed);
        match result {
            Ok(()) => {
                *written = revision;
                Ok(())
            }
            Err(source) => {
                let error = BanFileError::Write {
                    path: path.clone(),
                    source,
                };
                tracing::error!(event = "ban_file_failed", %error, "bans not written");
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn missing_ban_file_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bans");
        assert_eq!(read(&path).unwrap().list().count(), 0);
        fs::write(&path, "address 192.0.2.1\naddress 192.0.2.2\n").unwrap();
        assert_eq!(read(&path).unwrap().list().count(), 2);
    }

    #[test]
    fn invalid_ban_file_error_quotes_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bans");
        fs::write(&path, "everybody\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.contains("bans") && error.contains("\"everybody\""),
            "{error}"
        );
        assert!(matches!(read(dir.path()), Err(BanFileError::Read { .. })));
    }
}
