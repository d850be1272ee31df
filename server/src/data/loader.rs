//! The loader of training data: the built-in digits, or a folder with four IDX files.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Bytes;
use farsign::dataset::{Dataset, DatasetError, IdxFile, IdxPair, MAX_FILE_BYTES};
use flate2::{Compression, write::GzEncoder};
use thiserror::Error;

use crate::data::content::Content;

/// The standard names of the files: training images and labels, held-out images and labels.
pub const FILE_NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The built-in files, in the order of [`FILE_NAMES`].
const BUILT_IN: [&[u8]; 4] = [
    include_bytes!("../../../data/mnist-10k/train-images-idx3-ubyte.gz"),
    include_bytes!("../../../data/mnist-10k/train-labels-idx1-ubyte.gz"),
    include_bytes!("../../../data/mnist-10k/t10k-images-idx3-ubyte.gz"),
    include_bytes!("../../../data/mnist-10k/t10k-labels-idx1-ubyte.gz"),
];

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The [`Dataset::digest`] of MNIST's training set.
const MNIST_TRAIN_DIGEST: [u8; 32] = [
    0xc5, 0x09, 0x7f, 0xdd, 0x51, 0xcf, 0xdb, 0xe7, 0x69, 0x5f, 0xd9, 0xdf, 0x36, 0x12, 0x69, 0x56,
    0x96, 0x86, 0x4b, 0x5c, 0x42, 0x4f, 0x58, 0xd8, 0x43, 0xff, 0xdc, 0x5d, 0x33, 0x5e, 0x99, 0x14,
];

/// The data of a run, with the files that volunteers download.
#[derive(Clone, Debug)]
pub struct TrainAndHeldOut {
    /// Training set of the volunteers.
    pub train: Arc<Dataset>,
    /// Held-out set, which is never sent to volunteers.
    pub held_out: Arc<Dataset>,
    /// Name of the data on the page.
    pub name: String,
    /// What the images show.
    pub content: Content,
    /// Gzipped IDX file of the training images.
    pub train_images_gz: Bytes,
    /// Gzipped IDX file of the training labels.
    pub train_labels_gz: Bytes,
}

/// An error of the loader.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum DatasetSourceError {
    /// The path is not a folder.
    #[error(
        "expected a folder with four IDX files at {}, found no folder there; `farsign data fetch` downloads MNIST, \
         and without --data the built-in digits are used",
        folder.display()
    )]
    NoFolder { folder: PathBuf },
    /// Some of the four files are missing.
    #[error(
        "expected four IDX files, .gz or unpacked, in {}, found no {}; `farsign data fetch` downloads MNIST, and \
         without --data the built-in digits are used",
        folder.display(),
        missing.join(", no ")
    )]
    MissingFiles {
        folder: PathBuf,
        missing: Vec<&'static str>,
    },
    #[error("could not read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file exceeds the size limit of datasets.
    #[error("expected at most {limit} bytes in {}, found more", path.display())]
    TooLarge { path: PathBuf, limit: u64 },
    /// The files are not a valid dataset.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

/// Loads the four files in `folder`, or the built-in ones if it is `None`.
///
/// # Errors
/// Returns an error if a file is missing, unreadable or invalid.
pub fn load(folder: Option<&Path>) -> Result<TrainAndHeldOut, DatasetSourceError> {
    match folder {
        Some(folder) => from_folder(folder),
        None => Ok(built_in()?),
    }
}

/// Loads the built-in 10,000 digits of MNIST; `data/mnist-10k/README.md` describes them.
///
/// # Errors
/// Returns an error if the program was built with invalid files.
pub fn built_in() -> Result<TrainAndHeldOut, DatasetError> {
    let names = FILE_NAMES.map(|name| format!("built-in {name}.gz"));
    assemble(&names, BUILT_IN.map(Bytes::from_static), |images| {
        format!("MNIST, {} digits (built in)", thousands(images))
    })
}

/// Loads a dataset in the format of MNIST from a folder. Files may be gzipped or not, and their names may have a dot
/// before `idx`, as some tools write them.
///
/// # Errors
/// Returns an error if a file is missing, unreadable or invalid.
pub fn from_folder(folder: &Path) -> Result<TrainAndHeldOut, DatasetSourceError> {
    if !folder.is_dir() {
        return Err(DatasetSourceError::NoFolder {
            folder: folder.to_owned(),
        });
    }
    let found = FILE_NAMES.map(|name| find(folder, name));
    let missing: Vec<_> = FILE_NAMES
        .iter()
        .zip(&found)
        .filter(|(_, path)| path.is_none())
        .map(|(&name, _)| name)
        .collect();
    let [
        Some(train_images),
        Some(train_labels),
        Some(images),
        Some(labels),
    ] = found
    else {
        return Err(DatasetSourceError::MissingFiles {
            folder: folder.to_owned(),
            missing,
        });
    };
    let paths = [train_images, train_labels, images, labels];
    let mut files = [const { Bytes::new() }; 4];
    for (file, path) in files.iter_mut().zip(&paths) {
        *file = read(path)?.into();
    }
    let names = paths.map(|path| path.display().to_string());
    let mut data = assemble(&names, files, |images| {
        format!("{}, {} images", title(folder), thousands(images))
    })?;
    data.content = Content::of(&data.train, || Ok(built_in()?.train))?;
    if data.train.digest() == MNIST_TRAIN_DIGEST {
        data.name = format!(
            "MNIST, {} digits",
            thousands(data.train.len() + data.held_out.len())
        );
    }
    Ok(data)
}

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

pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP_MAGIC)
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing to a Vec succeeds")
}

/// Assembles a dataset of digits from names and files in the order of [`FILE_NAMES`]. `title` receives the number of
/// images.
fn assemble(
    names: &[String; 4],
    files: [Bytes; 4],
    title: impl FnOnce(usize) -> String,
) -> Result<TrainAndHeldOut, DatasetError> {
    let file = |index: usize| IdxFile {
        name: &names[index],
        bytes: &files[index],
    };
    let train = Dataset::training(IdxPair {
        images: file(0),
        labels: file(1),
    })?;
    let held_out = Dataset::held_out(
        IdxPair {
            images: file(2),
            labels: file(3),
        },
        &train,
    )?;
    let name = title(train.len() + held_out.len());
    let [train_images_gz, train_labels_gz, ..] = files;
    let gzipped = |file: Bytes| {
        if is_gzip(&file) {
            file
        } else {
            gzip(&file).into()
        }
    };
    Ok(TrainAndHeldOut {
        train: Arc::new(train),
        held_out: Arc::new(held_out),
        name,
        content: Content::Digits,
        train_images_gz: gzipped(train_images_gz),
        train_labels_gz: gzipped(train_labels_gz),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, DatasetSourceError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| DatasetSourceError::Read {
            path: path.to_owned(),
            source,
        })?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(DatasetSourceError::TooLarge {
            path: path.to_owned(),
            limit: MAX_FILE_BYTES,
        });
    }
    Ok(bytes)
}

/// Returns the name of a folder, also of `.` or a path that ends in `..`.
fn title(folder: &Path) -> String {
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    absolute
        .file_name()
        .unwrap_or(absolute.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// Formats 10000 as "10,000".
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (70_000, "70,000"),
            (1_234_567, "1,234,567"),
        ];
        for (number, expected) in cases {
            assert_eq!(thousands(number), expected);
        }
    }
}
