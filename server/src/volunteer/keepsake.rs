//! The file that makes native volunteers the same ones as last time.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use farsign::task::Secret;
use sha2::{Digest, Sha256};

/// Why a file with a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeepsakeError {
    /// It cannot be read, or made.
    #[error("could not use {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error("expected 32 hexadecimal digits in {path}; without the file a new secret is made")]
    Content {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the secret in a file, or makes one that only the file's owner can read.
///
/// # Errors
/// When the file cannot be read or made, or holds something else.
pub fn read_or_make(path: &Path) -> Result<Secret, KeepsakeError> {
    let failed = |source| KeepsakeError::File { path: path.to_owned(), source };
    match fs::read_to_string(path) {
        Ok(text) => digits(text.trim()).ok_or_else(|| KeepsakeError::Content { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret: [u8; 16] = rand::random();
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let text = format!("{:032x}\n", u128::from_be_bytes(secret));
            options.open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
            Ok(Secret(secret))
        }
        Err(error) => Err(failed(error)),
    }
}

fn digits(text: &str) -> Option<Secret> {
    let all = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = all.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
    Some(Secret(number.to_be_bytes()))
}

/// The secret of one worker of a fleet: a secret has one session at a time, and a fleet has many.
pub fn of_worker(secret: Secret, index: u64) -> Secret {
    let hash: [u8; 32] =
        Sha256::new().chain_update(secret.0).chain_update(index.to_string()).finalize().into();
    Secret(std::array::from_fn(|i| hash[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_and_read_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        let made = read_or_make(&path).unwrap();
        assert_eq!(read_or_make(&path).unwrap(), made);
        assert_ne!(read_or_make(&folder.path().join("other")).unwrap(), made);
        fs::write(&path, "no secret").unwrap();
        assert!(matches!(read_or_make(&path), Err(KeepsakeError::Content { .. })));
        assert!(matches!(read_or_make(folder.path()), Err(KeepsakeError::File { .. })));
    }

    #[test]
    fn every_worker_of_a_fleet_is_somebody_else_and_the_same_next_time() {
        let (one, other) = (Secret([1; 16]), Secret([2; 16]));
        assert_eq!(of_worker(one, 3), of_worker(one, 3));
        assert_ne!(of_worker(one, 3), of_worker(one, 4));
        assert_ne!(of_worker(one, 3), of_worker(other, 3));
    }
}
