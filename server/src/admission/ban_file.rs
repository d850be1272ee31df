//! The optional file of bans.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::admission::Admission;
use crate::admission::bans::{Bans, ParseBanError};

/// Time before a failed write is retried.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// An error of a ban file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum BanFileError {
    #[error("could not read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Line {
        path: PathBuf,
        source: ParseBanError,
    },
}

/// Reads a ban file. A missing file has no bans.
///
/// # Errors
/// Returns an error if the file cannot be read or has an invalid line.
pub fn read(path: &Path) -> Result<Bans, BanFileError> {
    match fs::read_to_string(path) {
        Ok(text) => Bans::read(&text).map_err(|source| BanFileError::Line {
            path: path.to_owned(),
            source,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Bans::default()),
        Err(source) => Err(BanFileError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Replaces a file atomically.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?; // otherwise power loss could leave an empty file under the final name
    fs::rename(new, path)
}

impl Admission {
    /// Writes the bans after each change. Changes during a write are written together.
    pub async fn persist_bans(&self) {
        loop {
            self.bans_changed.notified().await;
            if !self.save_bans().await {
                tokio::time::sleep(RETRY_INTERVAL).await;
                self.bans_changed.notify_one();
            }
        }
    }

    /// Writes the bans to their file, if there is one, and returns whether that succeeded.
    pub async fn save_bans(&self) -> bool {
        let Some(path) = self.options.ban_file.clone() else {
            return true;
        };
        let text = self.bans.lock().write();
        let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
        let written = written.map_err(io::Error::other).flatten();
        if let Err(error) = &written {
            tracing::error!(event = "ban_file_failed", %error, "bans not written");
        }
        written.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ban_file_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bans");
        assert_eq!(read(&path).unwrap().list().count(), 0);
        write(&path, "address 192.0.2.1\n").unwrap();
        write(&path, "address 192.0.2.1\naddress 192.0.2.2\n").unwrap();
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
