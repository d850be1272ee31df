//! The search for the four files of a dataset in a folder, under the names that tools and archives give them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::data::folder_listing::FolderListing;

/// The standard names of the files: training images and labels, held-out images and labels.
pub const FILE_NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Levels of subfolders in which a dataset is searched to name its folder in an error.
const MAX_DEPTH: usize = 2;

/// Entries of a folder that are searched for subfolders with a dataset.
const MAX_SUBFOLDERS: usize = 64;

/// The four files of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DatasetFiles {
    /// Prefix of their names, such as `emnist-letters-`; empty for the standard names.
    pub prefix: String,
    /// Paths, in the order of [`FILE_NAMES`].
    pub paths: [PathBuf; 4],
}

/// The outcome of a search without one set of four files.
#[derive(Debug)]
pub(super) enum SearchError {
    /// The folder cannot be read.
    Read(PathBuf, io::Error),
    /// No set of four files is complete. The names are those that the fullest set lacks.
    Missing(Vec<String>, FolderListing),
    /// Several sets, under these prefixes.
    Ambiguous(Vec<String>),
}

/// The part of a dataset that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NamedPart {
    prefix: String,
    /// Position in [`FILE_NAMES`].
    part: usize,
    /// Order of preference among files of one part, the lowest first.
    preference: u8,
}

/// The files of one prefix: for each part the preferred one.
type Parts = [Option<(u8, PathBuf)>; 4];

/// Finds a file of this name, in order of preference.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replacen("-idx", ".idx", 1);
    [
        format!("{name}.gz"),
        name.to_owned(),
        format!("{dotted}.gz"),
        dotted,
    ]
    .into_iter()
    .map(|name| folder.join(name))
    .find(|path| path.is_file())
}

/// Finds the four files of the one dataset in a folder. Those with the standard names come first.
pub(super) fn find_dataset(folder: &Path) -> Result<DatasetFiles, SearchError> {
    let read = |error| SearchError::Read(folder.to_owned(), error);
    let sets = sets(folder).map_err(read)?;
    let mut complete: Vec<DatasetFiles> = sets
        .iter()
        .filter_map(|(prefix, parts)| complete(prefix, parts))
        .collect();
    match complete.len() {
        // The empty prefix is the first.
        n if n > 0 && complete[0].prefix.is_empty() || n == 1 => Ok(complete.swap_remove(0)),
        0 => {
            let subfolder = dataset_below(folder, MAX_DEPTH);
            let listing = FolderListing::read(folder, subfolder).map_err(read)?;
            Err(SearchError::Missing(missing(&sets), listing))
        }
        _ => {
            let prefixes = complete.into_iter().map(|files| files.prefix);
            Err(SearchError::Ambiguous(prefixes.collect()))
        }
    }
}

/// Returns the files in a folder by prefix.
fn sets(folder: &Path) -> io::Result<BTreeMap<String, Parts>> {
    let mut sets: BTreeMap<String, Parts> = BTreeMap::new();
    let mut add = |named: NamedPart, path: PathBuf| {
        let found = &mut sets.entry(named.prefix).or_default()[named.part];
        let candidate = (named.preference, path);
        if found.as_ref().is_none_or(|best| candidate < *best) {
            *found = Some(candidate);
        }
    };
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(named) = NamedPart::of(&path) else {
            continue;
        };
        if path.is_file() {
            add(named, path);
        } else if path.is_dir() {
            // Some archives unpack each file into a folder of its name.
            for inner in fs::read_dir(&path)?.flatten() {
                let inner = inner.path();
                let is_same = NamedPart::of(&inner).is_some_and(|inner| inner.part == named.part);
                if is_same && inner.is_file() {
                    let preference = named.preference | 16;
                    add(
                        NamedPart {
                            preference,
                            ..named.clone()
                        },
                        inner,
                    );
                }
            }
        }
    }
    Ok(sets)
}

fn complete(prefix: &str, parts: &Parts) -> Option<DatasetFiles> {
    let path = |part: usize| parts[part].as_ref().map(|(_, path)| path.clone());
    Some(DatasetFiles {
        prefix: prefix.to_owned(),
        paths: [path(0)?, path(1)?, path(2)?, path(3)?],
    })
}

/// Returns the names that the fullest set lacks.
fn missing(sets: &BTreeMap<String, Parts>) -> Vec<String> {
    let count = |parts: &Parts| parts.iter().flatten().count();
    let fullest = sets
        .iter()
        .rev()
        .max_by_key(|(_, parts)| count(parts))
        .map(|(prefix, parts)| (prefix.as_str(), parts.clone()));
    let (prefix, parts) = fullest.unwrap_or_default();
    FILE_NAMES
        .iter()
        .zip(parts)
        .filter(|(_, found)| found.is_none())
        .map(|(name, _)| format!("{prefix}{name}"))
        .collect()
}

/// Returns the first folder below this one that has a dataset; `None` if there is none within `depth` levels.
fn dataset_below(folder: &Path, depth: usize) -> Option<PathBuf> {
    let depth = depth.checked_sub(1)?;
    let mut subfolders: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .take(MAX_SUBFOLDERS)
        .collect();
    subfolders.sort();
    let has_dataset = |path: &&PathBuf| {
        sets(path).is_ok_and(|sets| {
            sets.iter()
                .any(|(prefix, parts)| complete(prefix, parts).is_some())
        })
    };
    subfolders.iter().find(has_dataset).cloned().or_else(|| {
        subfolders
            .iter()
            .find_map(|path| dataset_below(path, depth))
    })
}

/// Returns whether a path has the name of a file of a dataset.
pub(super) fn is_dataset_file_name(path: &Path) -> bool {
    NamedPart::of(path).is_some()
}

impl NamedPart {
    /// Parses `PREFIX-{train,t10k,test}-{images,labels}-idxN-TYPE`, with a dot before `idx` or `.gz` at the end; `None`
    /// if the name is another.
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        // A file that was packed twice is found too, so that its error can name that.
        let plain = name.trim_end_matches(".gz");
        let is_packed = plain.len() < name.len();
        let name = plain;
        let (start, end, kind) = match name.rsplit_once("-images") {
            Some((start, end)) => (start, end, 0),
            None => name
                .rsplit_once("-labels")
                .map(|(start, end)| (start, end, 1))?,
        };
        let dotted = end.starts_with('.');
        let (dimensions, element) = end
            .strip_prefix(['-', '.'])?
            .strip_prefix("idx")?
            .split_once('-')?;
        let is_number = |text: &str| text.len() == 1 && text.as_bytes()[0].is_ascii_digit();
        let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
        if !is_number(dimensions) || element.is_empty() || !is_word(element) {
            return None;
        }
        let (prefix, set, is_test) = [("train", 0, false), ("t10k", 2, false), ("test", 2, true)]
            .into_iter()
            .find_map(|(word, set, is_test)| Some((start.strip_suffix(word)?, set, is_test)))?;
        if !(prefix.is_empty() || prefix.ends_with(['-', '_', '.'])) {
            return None;
        }
        Some(Self {
            prefix: prefix.to_owned(),
            part: set + kind,
            preference: u8::from(!is_packed) | u8::from(dotted) << 1 | u8::from(is_test) << 2,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Option<(String, usize)> {
        NamedPart::of(Path::new(name)).map(|named| (named.prefix, named.part))
    }

    #[test]
    fn names_of_public_datasets_are_parsed() {
        for (name, prefix, part) in [
            ("train-images-idx3-ubyte", "", 0),
            ("train-labels-idx1-ubyte.gz", "", 1),
            ("train-images.idx3-ubyte", "", 0),
            ("Train-Labels.idx1-ubyte.GZ", "", 1),
            ("train-images-idx3-ubyte.gz.gz", "", 0),
            ("t10k-images-idx3-ubyte", "", 2),
            ("test-labels-idx1-ubyte.gz", "", 3),
            (
                "emnist-letters-train-images-idx3-ubyte.gz",
                "emnist-letters-",
                0,
            ),
            (
                "emnist-letters-test-labels-idx1-ubyte.gz",
                "emnist-letters-",
                3,
            ),
            ("qmnist-train-labels-idx2-int.gz", "qmnist-", 1),
        ] {
            assert_eq!(named(name), Some((prefix.to_owned(), part)), "{name}");
        }
    }

    #[test]
    fn other_names_are_not_parsed() {
        for name in [
            "train-images-idx3-ubyte.gz.part",
            "train-images-idx3-ubyte (1).gz",
            "train-images.npy",
            "retrain-images-idx3-ubyte",
            "images-idx3-ubyte",
            "train-images",
            "train-images-idx-ubyte",
            "train-images-idx3-",
            "",
        ] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
