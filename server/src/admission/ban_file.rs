//! The file that bans are kept in, if the host wants one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::bans::{Bans, NoBan};
use super::{Admission, lock};

/// Time until bans that could not be written are tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// Why a file of bans cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BanFileError {
    /// It cannot be read.
    #[error("could not read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{path}: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        source: NoBan,
    },
}

/// Reads a file of bans; none when there is no file yet.
///
/// # Errors
/// When it cannot be read or holds something else.
pub fn read(path: &Path) -> Result<Bans, BanFileError> {
    match fs::read_to_string(path) {
        Ok(text) => Bans::read(&text).map_err(|source| BanFileError::Line { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Bans::default()),
        Err(source) => Err(BanFileError::Read { path: path.to_owned(), source }),
    }
}

/// Replaces a file at once, so that there is always one that can be read.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?; // or a power cut could leave an empty file under the name
    fs::rename(new, path)
}

impl Admission {
    /// Writes the bans whenever they have changed; changes while it writes are written together.
    pub async fn keep_bans(&self) {
        loop {
            self.bans_changed.notified().await;
            if !self.save_bans().await {
                tokio::time::sleep(AGAIN).await;
                self.bans_changed.notify_one();
            }
        }
    }

    /// Writes the bans as they are, if the host wants a file of them; whether that went well.
    pub async fn save_bans(&self) -> bool {
        let Some(path) = self.options.ban_file.clone() else { return true };
        let text = lock(&self.bans).write();
        let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
        let written = written.map_err(io::Error::other).flatten();
        if let Err(error) = &written {
            tracing::error!(event = "cannot_save_bans", %error, "could not write the bans");
        }
        written.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_no_list_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bans");
        assert_eq!(read(&path).unwrap().list().count(), 0);
        write(&path, "address 192.0.2.1\n").unwrap();
        write(&path, "address 192.0.2.1\naddress 192.0.2.2\n").unwrap();
        assert_eq!(read(&path).unwrap().list().count(), 2);
        fs::write(&path, "everybody\n").unwrap();
        let said = read(&path).unwrap_err().to_string();
        assert!(said.contains("bans") && said.contains("\"everybody\""), "{said}");
        assert!(matches!(read(folder.path()), Err(BanFileError::Read { .. })));
    }
}
