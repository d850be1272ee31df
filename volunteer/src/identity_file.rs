//! The file that keeps the identities of native volunteers between runs of the program.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use farsign::task::Secret;
use sha2::{Digest, Sha256};

/// An error of an identity file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum IdentityFileError {
    #[error("could not use {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("expected 32 hexadecimal digits in {path}; delete the file to create a new identity")]
    Content { path: PathBuf },
}

/// Returns the secret in a file, or creates the file with a new secret.
///
/// Only the owner can read a file that this function creates.
///
/// # Errors
/// Returns an error if the file cannot be read or created, or holds anything but a secret.
pub fn load_or_create(path: &Path) -> Result<Secret, IdentityFileError> {
    let failed = |source| IdentityFileError::Io {
        path: path.to_owned(),
        source,
    };
    match fs::read_to_string(path) {
        Ok(text) => parse_hex(text.trim()).ok_or_else(|| IdentityFileError::Content {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret: [u8; 16] = rand::random();
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let text = format!("{:032x}\n", u128::from_be_bytes(secret));
            options
                .open(path)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(failed)?;
            Ok(Secret(secret))
        }
        Err(error) => Err(failed(error)),
    }
}

fn parse_hex(text: &str) -> Option<Secret> {
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_hex
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()?;
    Some(Secret(number.to_be_bytes()))
}

/// Derives the secret of one worker from the secret of its fleet.
///
/// A secret has one session at a time, so each worker requires its own.
pub fn secret_of_worker(secret: Secret, index: u64) -> Secret {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(secret.0)
        .chain_update(index.to_string())
        .finalize()
        .into();
    Secret(std::array::from_fn(|i| hash[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_file_is_created_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        let created = load_or_create(&path).unwrap();
        assert_eq!(load_or_create(&path).unwrap(), created);
        assert_ne!(
            load_or_create(&folder.path().join("other")).unwrap(),
            created
        );
    }

    #[test]
    fn invalid_identity_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        fs::write(&path, "no secret").unwrap();
        assert!(matches!(
            load_or_create(&path),
            Err(IdentityFileError::Content { .. })
        ));
        assert!(matches!(
            load_or_create(folder.path()),
            Err(IdentityFileError::Io { .. })
        ));
    }

    #[test]
    fn worker_identities_are_distinct_and_stable() {
        let one = Secret([1; 16]);
        let other = Secret([2; 16]);
        assert_eq!(secret_of_worker(one, 3), secret_of_worker(one, 3));
        assert_ne!(secret_of_worker(one, 3), secret_of_worker(one, 4));
        assert_ne!(secret_of_worker(one, 3), secret_of_worker(other, 3));
    }
}
