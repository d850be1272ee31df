//! The output directory of a suite.
//!
//! ```text
//!   manifest.json        inputs that determine the results: version and revision of the lab, scenario, seeds, data
//!   tuning/*.json        one file per tuning run
//!   runs/*.json          one file per run
//!   curves.csv           all curves
//!   summary.json         means, deviations, worst attacks, breaking points
//! ```
//!
//! Files are written atomically, so an interrupted suite resumes after its last finished run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use farsign_files::replace;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::servers::InjectedFault;
use crate::suite::summary::Summary;

/// The inputs that determine the results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the lab.
    pub version: String,
    /// [`REVISION`](crate::suite::REVISION) of the lab.
    pub revision: u32,
    /// Injected fault of FAR-SIGN's server.
    pub fault: Option<InjectedFault>,
    /// SHA-256 of the training data, in hexadecimal.
    pub train_sha256: String,
    /// SHA-256 of the held-out data, in hexadecimal.
    pub test_sha256: String,
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// Text of the scenario.
    pub scenario: String,
}

/// An error of an output directory.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum OutputDirError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: expected a file written by `farsign lab run`, found other content: {source}", path.display())]
    Content {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// The directory has results without a manifest.
    #[error("{}: expected a manifest.json beside the results, found none; use another --out", path.display())]
    NoManifest { path: PathBuf },
    #[error("{}: expected results of `farsign lab run`, found none", path.display())]
    NoResults { path: PathBuf },
    /// The directory has results of other inputs.
    #[error(
        "{}: expected results of the same {input}, found results of another; use another --out, or remove the \
         directory",
        path.display()
    )]
    Mismatch { path: PathBuf, input: &'static str },
}

/// The output directory of a suite.
#[derive(Clone, Debug)]
pub struct OutputDir(PathBuf);

impl OutputDir {
    /// Opens or creates the directory of a suite.
    ///
    /// # Errors
    /// Returns an error if the directory cannot be created, or has results of other inputs.
    pub fn open(path: &Path, manifest: &Manifest) -> Result<Self, OutputDirError> {
        let dir = Self(path.to_owned());
        let found = dir.read::<Manifest>("manifest")?;
        let parts = ["runs", "tuning"].map(|part| path.join(part));
        let results = ["curves.csv", "summary.json"].map(|name| path.join(name));
        if found.is_none()
            && let Some(part) = parts.iter().chain(&results).find(|part| part.exists())
        {
            return Err(OutputDirError::NoManifest { path: part.clone() });
        }
        create(path)?;
        match found {
            // The manifest is written first, so a directory with results always has one.
            None => dir.write_json("manifest", manifest)?,
            Some(found) => {
                let inputs = [
                    ("version of the lab", found.version == manifest.version),
                    ("revision of the lab", found.revision == manifest.revision),
                    ("server", found.fault == manifest.fault),
                    ("scenario", found.scenario == manifest.scenario),
                    ("seeds", found.seeds == manifest.seeds),
                    ("training data", found.train_sha256 == manifest.train_sha256),
                    ("held-out data", found.test_sha256 == manifest.test_sha256),
                ];
                if let Some((input, _)) = inputs.into_iter().find(|(_, same)| !same) {
                    return Err(OutputDirError::Mismatch {
                        path: path.to_owned(),
                        input,
                    });
                }
            }
        }
        parts.iter().try_for_each(|part| create(part))?;
        Ok(dir)
    }

    /// Returns an existing directory, without access to it.
    pub fn existing(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Reads the summary of a finished suite.
    ///
    /// # Errors
    /// Returns an error if there is no summary, or it cannot be read.
    pub fn summary(&self) -> Result<Summary, OutputDirError> {
        self.read("summary")?
            .ok_or_else(|| OutputDirError::NoResults {
                path: self.0.clone(),
            })
    }

    /// Reads the value with this key; `None` if there is none.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read.
    pub fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, OutputDirError> {
        let path = self.0.join(format!("{key}.json"));
        match fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(value) => Ok(Some(value)),
                Err(source) => Err(OutputDirError::Content { path, source }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(OutputDirError::Io { path, source }),
        }
    }

    /// Writes a value under this key.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn write_json<T: Serialize>(&self, key: &str, value: &T) -> Result<(), OutputDirError> {
        let mut text = serde_json::to_string_pretty(value).expect("results are plain values");
        text.push('\n');
        self.write(&format!("{key}.json"), &text)
    }

    /// Writes a file atomically.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), OutputDirError> {
        let path = self.0.join(name);
        replace(&path, text.as_bytes()).map_err(|source| OutputDirError::Io { path, source })
    }
}

fn create(dir: &Path) -> Result<(), OutputDirError> {
    fs::create_dir_all(dir).map_err(|source| OutputDirError::Io {
        path: dir.to_owned(),
        source,
    })
}
