//! Errors of loading data.

use std::io;
use std::path::{Path, PathBuf};

use farsign::dataset::DatasetError;
use thiserror::Error;

use crate::data::file_search::is_dataset_file_name;
use crate::data::folder_listing::{FolderListing, advice};

/// An error of the loader.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum DatasetSourceError {
    /// The path is not a folder.
    #[error(
        "expected a folder with four IDX files at {}, found {found}; `farsign data fetch` downloads MNIST, and without \
         --data the built-in digits are used",
        folder.display()
    )]
    NoFolder { folder: PathBuf, found: String },
    /// Some of the four files are missing.
    #[error(
        "expected four IDX files, .gz or unpacked, in {}, found no {}; {listing}; `farsign data fetch` downloads MNIST, \
         and without --data the built-in digits are used",
        folder.display(),
        missing.join(", no ")
    )]
    MissingFiles {
        folder: PathBuf,
        missing: Vec<String>,
        listing: FolderListing,
    },
    /// The folder has several datasets.
    #[error(
        "expected the four files of one dataset in {}, found those of {}: {}; put the files of one into a folder of \
         their own",
        folder.display(),
        prefixes.len(),
        prefixes.join(", ")
    )]
    SeveralDatasets {
        folder: PathBuf,
        prefixes: Vec<String>,
    },
    #[error("could not read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file exceeds the size limit of datasets.
    #[error("expected at most {limit} bytes in {}, found more; use fewer or smaller images", path.display())]
    TooLarge { path: PathBuf, limit: u64 },
    /// The files are not a valid dataset.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

/// Returns the error of a path that is not a folder.
pub(super) fn no_folder(path: &Path) -> DatasetSourceError {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let found = if path.is_file() && is_dataset_file_name(path) {
        format!("a file: --data names the folder, {}", parent.display())
    } else if path.is_file() {
        let advice = advice(&name).map_or(String::new(), |advice| format!(" that {advice}"));
        format!("a file{advice}")
    } else {
        match path.metadata() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => format!("an error: {error}"),
            _ => "no folder there".to_owned(),
        }
    };
    DatasetSourceError::NoFolder {
        folder: path.to_owned(),
        found,
    }
}
