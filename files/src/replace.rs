//! Output files.
//!
//! ```text
//!   path -- links --> regular file, or none --> temporary file beside it, fsync, rename      all or nothing
//!                 |                         |
//!                 |                         +-- hard links, a mounted file, a folder or an owner that this process
//!                 |                             may not change --> written in place, fsync
//!                 +-> device, pipe, open file of a process --> written to
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::target::{Target, folder_of, follow_links};

/// Start of the names of temporary files, which are hidden on Unix.
const TEMPORARY_PREFIX: &str = ".farsign-";

/// A lock that is held for reading while a temporary file exists.
static TEMPORARY_FILES: RwLock<()> = RwLock::new(());

/// A guard during which no temporary file exists and none is created.
#[derive(Debug)]
pub struct WritesPaused {
    _guard: RwLockWriteGuard<'static, ()>,
}

/// Waits until no temporary file exists, and creates none until the guard is dropped. A process that ends meanwhile
/// leaves only whole files.
pub fn pause_writes() -> WritesPaused {
    WritesPaused {
        _guard: TEMPORARY_FILES
            .write()
            .unwrap_or_else(PoisonError::into_inner),
    }
}

fn begin_write() -> RwLockReadGuard<'static, ()> {
    TEMPORARY_FILES
        .read()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Writes an output file: replaces a regular file or creates it, and writes to anything else.
///
/// Symbolic links are followed. An existing file keeps its mode and owner, and its previous content if the write fails.
/// It is replaced by a rename, unless it has other hard links, is a mount, or the folder or the owner cannot be changed:
/// then it is written in place.
///
/// # Errors
/// Returns an error if the path leads to a folder, or to a file that this process may not write or that cannot be
/// written.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match Target::of(path)? {
        Target::StandardOutput => write_stream(io::stdout().lock(), bytes),
        Target::StandardError => write_stream(io::stderr().lock(), bytes),
        Target::Stream(path) => {
            let file = OpenOptions::new().write(true).open(path)?;
            if file.metadata()?.is_file() {
                overwrite(&file, bytes)
            } else {
                write_stream(&file, bytes)
            }
        }
        Target::File(path) => replace_file(&path, bytes),
    }
}

/// Creates a file that only its owner can read.
///
/// # Errors
/// Returns an error of kind `AlreadyExists` if the file exists, and others if it cannot be written. No part of the file
/// then remains.
pub fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = follow_links(path)?;
    let _writing = begin_write();
    let mut new = temporary(&path, None)?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    new.persist_noclobber(&path)
        .map_err(|failed| failed.error)?;
    sync_folder(folder_of(&path));
    Ok(())
}

fn write_stream(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Opening comes first, because a rename would also replace a file that this process may not write.
    let existing = match OpenOptions::new().write(true).open(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if let Some(file) = &existing
        && has_other_links(file)?
    {
        return overwrite(file, bytes);
    }
    match (rename_over(path, existing.as_ref(), bytes), existing) {
        (Err(error), Some(file)) if permits_overwriting(&error) => overwrite(&file, bytes),
        (written, _) => written,
    }
}

/// Returns whether a file that cannot be replaced may still be written in place.
fn permits_overwriting(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::CrossesDevices
    )
}

/// Replaces a file by a temporary one, which gets the mode and the owner of the existing file.
fn rename_over(path: &Path, existing: Option<&File>, bytes: &[u8]) -> io::Result<()> {
    let _writing = begin_write();
    let mut new = temporary(path, existing.is_none().then_some(DEFAULT_MODE))?;
    new.write_all(bytes)?;
    if let Some(existing) = existing {
        copy_mode_and_owner(existing, new.as_file())?;
    }
    new.as_file().sync_all()?; // otherwise power loss could leave an empty file under the final name
    new.persist(path).map_err(|failed| failed.error)?;
    sync_folder(folder_of(path));
    Ok(())
}

/// Mode of a new file, of which the system removes the bits of the umask.
const DEFAULT_MODE: u32 = 0o666;

/// Creates a temporary file beside another. Without a mode, only its owner can read it.
fn temporary(beside: &Path, mode: Option<u32>) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX);
    #[cfg(unix)]
    if let Some(mode) = mode {
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = mode;
    builder.tempfile_in(folder_of(beside)).map_err(|error| {
        // The library adds the name of the temporary file, which the user does not know.
        let text = error.to_string();
        let cause = text
            .split_once(" at path ")
            .map_or(&*text, |(cause, _)| cause);
        io::Error::new(error.kind(), cause)
    })
}

/// Writes a file in place. If the disk is full, the previous content stays.
fn overwrite(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    let length = file.metadata()?.len();
    let (start, end) = bytes.split_at(
        bytes
            .len()
            .min(usize::try_from(length).unwrap_or(usize::MAX)),
    );
    // The end comes first: only it needs more of the disk.
    file.seek(SeekFrom::Start(length))?;
    if let Err(error) = file.write_all(end).and_then(|()| file.sync_all()) {
        file.set_len(length)?;
        return Err(error);
    }
    file.seek(SeekFrom::Start(0))?;
    file.write_all(start)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

#[cfg(unix)]
fn has_other_links(file: &File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) > 1)
}

#[cfg(not(unix))]
fn has_other_links(_: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(unix)]
fn copy_mode_and_owner(from: &File, to: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let (old, new) = (from.metadata()?, to.metadata()?);
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        fchown(to, Some(old.uid()), Some(old.gid()))?;
    }
    to.set_permissions(old.permissions()) // after the owner, whose change removes some bits of the mode
}

#[cfg(not(unix))]
fn copy_mode_and_owner(_: &File, _: &File) -> io::Result<()> {
    Ok(())
}

/// Makes a rename durable. Not every file system can, and the file itself is whole already.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}
