//! The folder that results are kept in.
//!
//! ```text
//!   manifest.json        what decides the results: version and revision of the lab, scenario, seeds, data
//!   tuning/*.json        a file a tuning run
//!   runs/*.json          a file a run
//!   curves.csv           all curves
//!   summary.json         means, deviations, worst attacks, breaking points
//! ```
//!
//! A file appears whole or not at all, so that a campaign that was interrupted goes on where it was.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::host::Fault;
use crate::summary::Summary;

/// What decides the results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the lab.
    pub version: String,
    /// Its [`REVISION`](crate::campaign::REVISION).
    pub revision: u32,
    /// A mistake in FAR-SIGN's server that was asked for.
    pub fault: Option<Fault>,
    /// SHA-256 of the training data, in hexadecimal.
    pub train_sha256: String,
    /// SHA-256 of the held-out data, in hexadecimal.
    pub test_sha256: String,
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// The scenario's text.
    pub scenario: String,
}

/// Why results could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system says no.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: expected a file that `farsign lab run` wrote, found something else: {source}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// There are results that nothing says what they are of.
    #[error("{}: expected a manifest.json beside the results that are there, found none; give another --out", path.display())]
    Unknown {
        /// Which folder.
        path: PathBuf,
    },
    /// There are no results.
    #[error("{}: expected results of `farsign lab run`, found none", path.display())]
    Empty {
        /// Which folder.
        path: PathBuf,
    },
    /// The folder has results of something else.
    #[error(
        "{}: expected results of the same {what}, found others; give another --out, or remove the folder",
        path.display()
    )]
    Mixed {
        /// Which folder.
        path: PathBuf,
        /// In what they differ.
        what: &'static str,
    },
}

/// The folder of a campaign.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Opens or makes the folder of a campaign.
    ///
    /// # Errors
    /// When it cannot be made, or has results of something else.
    pub fn of(path: &Path, manifest: &Manifest) -> Result<Self, FolderError> {
        let folder = Self(path.to_owned());
        let found = folder.read::<Manifest>("manifest")?;
        let parts = ["runs", "tuning"].map(|part| path.join(part));
        if found.is_none()
            && let Some(part) = parts.iter().find(|part| part.exists())
        {
            return Err(FolderError::Unknown { path: part.clone() });
        }
        make(path)?;
        match found {
            // First of all, so that a folder with results says what they are of, whatever interrupts this.
            None => folder.write_json("manifest", manifest)?,
            Some(found) => {
                let same = [
                    ("version of the lab", found.version == manifest.version),
                    ("revision of the lab", found.revision == manifest.revision),
                    ("server", found.fault == manifest.fault),
                    ("scenario", found.scenario == manifest.scenario),
                    ("seeds", found.seeds == manifest.seeds),
                    ("training data", found.train_sha256 == manifest.train_sha256),
                    ("held-out data", found.test_sha256 == manifest.test_sha256),
                ];
                if let Some((what, _)) = same.into_iter().find(|(_, same)| !same) {
                    return Err(FolderError::Mixed { path: path.to_owned(), what });
                }
            }
        }
        parts.iter().try_for_each(|part| make(part))?;
        Ok(folder)
    }

    /// A folder of results that is there.
    pub fn existing(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// What a campaign came to that ran to its end.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn summary(&self) -> Result<Summary, FolderError> {
        self.read("summary")?.ok_or_else(|| FolderError::Empty { path: self.0.clone() })
    }

    /// What was kept under this name; none if nothing was.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, FolderError> {
        let path = self.0.join(format!("{key}.json"));
        match fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(value) => Ok(Some(value)),
                Err(source) => Err(FolderError::Content { path, source }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FolderError::Io { path, source }),
        }
    }

    /// Keeps something under this name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_json<T: Serialize>(&self, key: &str, value: &T) -> Result<(), FolderError> {
        let mut text = serde_json::to_string_pretty(value).expect("records are plain values");
        text.push('\n');
        self.write(&format!("{key}.json"), &text)
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let path = self.0.join(name);
        let unfinished = self.0.join(format!("{name}.part"));
        File::create(&unfinished)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&unfinished, &path))
            .map_err(|source| FolderError::Io { path, source })
    }
}

fn make(folder: &Path) -> Result<(), FolderError> {
    fs::create_dir_all(folder).map_err(|source| FolderError::Io { path: folder.to_owned(), source })
}
