//! The file that keeps the identities of native volunteers between runs of the program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use farsign::task::Secret;
use farsign_files::{ReadTextError, create_private, read_text, replace};
use sha2::{Digest, Sha256};

/// An error of an identity file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum IdentityFileError {
    #[error("could not read {path}: {source}")]
    Read {
        path: PathBuf,
        source: ReadTextError,
    },
    #[error("could not write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "expected 32 hexadecimal digits in {path}; name a file that does not exist to create a new identity"
    )]
    Content { path: PathBuf },
}

/// Returns the secret in a file, or creates the file with a new secret. An empty file, as some systems mount it, gets
/// the new secret too.
///
/// Only the owner can read a file that this function creates.
///
/// # Errors
/// Returns an error if the file cannot be read or created, or holds anything but a secret.
pub fn load_or_create(path: &Path) -> Result<Secret, IdentityFileError> {
    let secret = Secret(rand::random());
    let text = format!("{:032x}\n", u128::from_be_bytes(secret.0));
    let written = match read_text(path) {
        Ok(found) if found.is_empty() && is_file(path) => replace(path, text.as_bytes()),
        Ok(found) => return parse(&found, path),
        Err(error) if error.is_not_found() => create_private(path, text.as_bytes()),
        Err(error) => return Err(unreadable(path, error)),
    };
    match written {
        Ok(()) => Ok(secret),
        // Another volunteer has created the file in the meantime.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = read_text(path).map_err(|error| unreadable(path, error))?;
            parse(&found, path)
        }
        Err(source) => Err(IdentityFileError::Write {
            path: path.to_owned(),
            source,
        }),
    }
}

fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

fn unreadable(path: &Path, source: ReadTextError) -> IdentityFileError {
    IdentityFileError::Read {
        path: path.to_owned(),
        source,
    }
}

fn parse(text: &str, path: &Path) -> Result<Secret, IdentityFileError> {
    parse_hex(text.trim()).ok_or_else(|| IdentityFileError::Content {
        path: path.to_owned(),
    })
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
            Err(IdentityFileError::Read { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), b"no secret");
    }

    #[test]
    fn empty_identity_file_is_filled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        fs::write(&path, "").unwrap();
        let created = load_or_create(&path).unwrap();
        assert_eq!(load_or_create(&path).unwrap(), created);
    }

    #[cfg(unix)]
    #[test]
    fn linked_identity_file_is_private() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        symlink("elsewhere", &path).unwrap();
        let created = load_or_create(&path).unwrap();
        assert_eq!(load_or_create(&path).unwrap(), created);
        let file = fs::symlink_metadata(folder.path().join("elsewhere")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn device_is_no_identity() {
        assert!(matches!(
            load_or_create(Path::new("/dev/null")),
            Err(IdentityFileError::Content { .. })
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
