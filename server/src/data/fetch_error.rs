//! Errors of downloading MNIST.

use std::error::Error;
use std::path::PathBuf;
use std::{fmt, io};

use farsign::dataset::ForeignFormat;

use crate::data::unpacked_format::of_format;

/// An error of [`fetch`](super::mnist_download::fetch).
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum FetchError {
    #[error("{0}")]
    AllMirrorsFailed(AllMirrorsFailed),
    /// The folder has files of other data, which have the same names in many collections.
    #[error(
        "expected the files of MNIST or none, found other content in {}; use another --folder, or --replace to \
         replace these files",
        list(paths)
    )]
    OtherFiles { paths: Vec<PathBuf> },
    #[error("could not make the folder {}: {source}", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("could not read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("could not write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

fn list(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    names.join(", ")
}

/// The error of a file that no mirror provided. Its display text includes instructions.
#[derive(Debug)]
pub struct AllMirrorsFailed {
    /// Name with `.gz`.
    pub file: String,
    /// URLs and errors of all attempts.
    pub attempts: Vec<(String, DownloadError)>,
    pub(super) folder: PathBuf,
    pub(super) all_files: Vec<String>,
}

impl fmt::Display for AllMirrorsFailed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "no mirror provided {}:", self.file)?;
        for (url, error) in &self.attempts {
            writeln!(formatter, "  {url}: {error}")?;
        }
        writeln!(
            formatter,
            "The built-in digits need no download: run `farsign serve` without --data."
        )?;
        writeln!(
            formatter,
            "To use these files, put them into {} by hand:",
            self.folder.display()
        )?;
        for file in &self.all_files {
            writeln!(formatter, "  {file}.gz")?;
        }
        write!(
            formatter,
            "and run `farsign serve --data {}`.",
            self.folder.display()
        )
    }
}

/// An error of one download.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum DownloadError {
    #[error("{0}")]
    Proxy(Box<dyn Error + Send + Sync>),
    #[error("{0}")]
    Request(Box<ureq::Error>),
    /// The connection was lost.
    #[error("the download was interrupted after {after} bytes: {source}")]
    Interrupted { after: usize, source: io::Error },
    #[error("expected at most {limit} bytes, found more")]
    TooLarge { limit: u64 },
    #[error("could not decompress the download: {0}")]
    Decompress(io::Error),
    /// The hash differs. `found` covers at most one byte more than the expected length.
    #[error("expected SHA-256 {expected} of the uncompressed file, found {found}{}", of_format(format.as_ref()))]
    WrongContent {
        expected: String,
        found: String,
        /// Format of the download; `None` if it is unknown.
        format: Option<ForeignFormat>,
    },
}
