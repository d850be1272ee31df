//! What the path of an output file leads to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Longest chain of symbolic links, as Linux has it.
const MAX_LINKS: usize = 40;

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output of this process.
    StandardOutput,
    /// Standard error of this process.
    StandardError,
    /// A device, a pipe, or another open file of a process. It is written to, and must not be replaced.
    Stream(PathBuf),
    /// A regular file, or a path without a file.
    File(PathBuf),
}

impl Target {
    /// Follows the symbolic links of a path.
    ///
    /// # Errors
    /// Returns an error if the path leads to a folder, or a link cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let path = follow_links(path)?;
        match descriptor(&path) {
            Some(1) => return Ok(Self::StandardOutput),
            Some(2) => return Ok(Self::StandardError),
            Some(_) => return Ok(Self::Stream(path)),
            None => {}
        }
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => Ok(Self::Stream(path)),
            Ok(_) => Ok(Self::File(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::File(path)),
            Err(error) => Err(error),
        }
    }
}

/// Returns whether a path leads to the standard output of this process, as `/dev/stdout` does.
pub fn is_standard_output(path: &Path) -> bool {
    Target::of(path).is_ok_and(|target| target == Target::StandardOutput)
}

/// Returns the folder of a file.
pub fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Follows symbolic links to a path that is no link. It may have no file.
pub fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let is_link = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.is_symlink(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        // The links in the folder of descriptors have texts like `pipe:[123]`, which are no paths.
        if !is_link || descriptor(&path).is_some() {
            return Ok(path);
        }
        path = folder_of(&path).join(fs::read_link(&path)?);
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Returns the number of an open file of this process; `None` for any other path.
fn descriptor(path: &Path) -> Option<u32> {
    let number = path.file_name()?.to_str()?.parse().ok()?;
    let folder = fs::canonicalize(folder_of(path)).ok()?;
    let own = fs::canonicalize("/proc/self"); // Linux
    let is_own = folder.ends_with("fd") && own.is_ok_and(|own| folder.starts_with(own));
    (is_own || folder == Path::new("/dev/fd")).then_some(number)
}
