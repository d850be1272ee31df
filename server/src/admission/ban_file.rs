//! The file that bans are kept in, if the host wants one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::bans::{Bans, NoBan};
use super::{Admission, lock};

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
    fs::write(&new, text)?;
    fs::rename(new, path)
}

impl Admission {
    /// Writes the bans whenever they have changed; changes while it writes are written together.
    pub async fn keep_bans(&self) {
        let Some(path) = self.options.ban_file.clone() else { return };
        loop {
            self.bans_changed.notified().await;
            let (path, text) = (path.clone(), lock(&self.bans).write());
            let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
            if let Err(error) = written.map_err(io::Error::other).flatten() {
                tracing::error!(event = "cannot_save_bans", %error, "could not write the bans");
            }
        }
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
