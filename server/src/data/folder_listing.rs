//! Lists what a folder has in place of a dataset, with what to do about it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Number of names that a listing shows.
const MAX_NAMES: usize = 8;

/// Characters of a name that a listing shows.
const MAX_NAME_CHARACTERS: usize = 80;

/// Endings of names, with what to do about such a file.
const ADVICE: [(&[&str], &str); 4] = [
    (
        &[".part", ".crdownload", ".download", ".tmp"],
        "is an unfinished download: download it again",
    ),
    (
        &[
            ".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".7z", ".rar", ".xz", ".bz2",
            ".zst",
        ],
        "must be unpacked first",
    ),
    (
        &[
            ".npz",
            ".npy",
            ".mat",
            ".csv",
            ".h5",
            ".hdf5",
            ".parquet",
            ".arrow",
            ".pkl",
            ".pickle",
            ".pt",
            ".pth",
            ".tfrecord",
        ],
        "is of another format: docs/guide.md has the lines of Python that write IDX files",
    ),
    (
        &[".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"],
        "is a single image: docs/guide.md has the lines of Python that write IDX files",
    ),
];

/// The content of a folder, for errors. Its display text is a clause such as "the folder has mnist.npz".
#[derive(Debug)]
pub struct FolderListing {
    /// Names in order, of folders with a slash and of broken links with a remark at the end.
    names: Vec<String>,
    /// A folder below with a dataset.
    subfolder: Option<PathBuf>,
}

impl FolderListing {
    /// Reads the names in a folder.
    pub(super) fn read(folder: &Path, subfolder: Option<PathBuf>) -> io::Result<Self> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = match entry.path().metadata() {
                Ok(metadata) if metadata.is_dir() => "/",
                Ok(_) => "",
                Err(_) => " (a broken link)",
            };
            names.push(entry.file_name().to_string_lossy().into_owned() + kind);
        }
        names.sort();
        Ok(Self { names, subfolder })
    }
}

impl fmt::Display for FolderListing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { names, subfolder } = self;
        if names.is_empty() {
            return formatter.write_str("the folder is empty");
        }
        let shown: Vec<String> = names
            .iter()
            .take(MAX_NAMES)
            .map(|name| shown(name))
            .collect();
        write!(formatter, "the folder has {}", shown.join(", "))?;
        if names.len() > MAX_NAMES {
            write!(formatter, " and {} more", names.len() - MAX_NAMES)?;
        }
        if let Some(folder) = subfolder {
            write!(
                formatter,
                "; four IDX files are in {0}: use --data {0}",
                folder.display()
            )?;
        } else if let Some((name, advice)) =
            names.iter().find_map(|name| Some((name, advice(name)?)))
        {
            write!(formatter, "; {} {advice}", self::shown(name))?;
        }
        Ok(())
    }
}

/// Returns what to do about a file that is in place of a dataset; `None` if its name does not show it.
pub(super) fn advice(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let of = |name: &str| {
        ADVICE
            .iter()
            .find(|(endings, _)| endings.iter().any(|ending| name.ends_with(ending)))
            .map(|(_, advice)| *advice)
    };
    of(&name).or_else(|| of(name.strip_suffix(".gz")?))
}

/// Returns a name without control characters, and shortened.
fn shown(name: &str) -> String {
    let mut shown: String = name
        .chars()
        .take(MAX_NAME_CHARACTERS)
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect();
    if name.chars().count() > MAX_NAME_CHARACTERS {
        shown.push('…');
    }
    shown
}
