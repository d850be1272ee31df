//! The loader of training data: the built-in digits, or a folder with four IDX files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Bytes;
use farsign::dataset::{
    Dataset, DatasetError, IdxFile, IdxPair, ImagesShape, MAX_FILE_BYTES, PixelOrder,
    ShardedDataset,
};

use crate::data::class_notes::class_notes;
use crate::data::content::Content;
use crate::data::file_search::{self, DatasetFiles, SearchError};
use crate::data::load_step::{LoadAction, LoadStep};
use crate::data::shard_files::ShardFiles;
use crate::data::source_error::{self, DatasetSourceError};

pub use crate::data::file_search::FILE_NAMES;

/// The built-in files, in the order of [`FILE_NAMES`].
const BUILT_IN: [&[u8]; 4] = [
    include_bytes!("../../../data/mnist-10k/train-images-idx3-ubyte.gz"),
    include_bytes!("../../../data/mnist-10k/train-labels-idx1-ubyte.gz"),
    include_bytes!("../../../data/mnist-10k/t10k-images-idx3-ubyte.gz"),
    include_bytes!("../../../data/mnist-10k/t10k-labels-idx1-ubyte.gz"),
];

/// Bytes at the beginning of a file that have its header, also if it is gzipped.
const HEAD_BYTES: u64 = 64 * 1024;

/// Size of training data from which on the log warns of it: 128 MiB.
pub const LARGE_DATA_BYTES: u64 = 128 << 20;

/// The [`Dataset::digest`] of MNIST's training set.
const MNIST_TRAIN_DIGEST: [u8; 32] = [
    0xc5, 0x09, 0x7f, 0xdd, 0x51, 0xcf, 0xdb, 0xe7, 0x69, 0x5f, 0xd9, 0xdf, 0x36, 0x12, 0x69, 0x56,
    0x96, 0x86, 0x4b, 0x5c, 0x42, 0x4f, 0x58, 0xd8, 0x43, 0xff, 0xdc, 0x5d, 0x33, 0x5e, 0x99, 0x14,
];

/// Where data is, and how its files are read. The default is the built-in data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataSource {
    /// Folder of the four files; `None` for the built-in digits.
    pub folder: Option<PathBuf>,
    /// Order of the pixels in the files; `None` if the operator chose none, which is row by row.
    pub pixel_order: Option<PixelOrder>,
}

/// The data of a run, with the shards that volunteers download.
#[derive(Clone, Debug)]
pub struct TrainAndHeldOut {
    /// Training set of the volunteers, in the order of the files.
    pub train: Arc<Dataset>,
    /// Held-out set, which is never sent to volunteers.
    pub held_out: Arc<Dataset>,
    /// Name of the data on the page.
    pub name: String,
    /// What the operator should know about the data, in sentences.
    pub notes: Vec<String>,
    /// What the images show.
    pub content: Content,
    /// The training set in the shards that volunteers download.
    pub shards: ShardFiles,
}

impl TrainAndHeldOut {
    /// Returns about how many bytes of memory each worker of a volunteer needs for data: all shards, and one more while
    /// it is unpacked.
    pub fn worker_memory_bytes(&self) -> u64 {
        let list = self.shards.data().list();
        let largest = list.entries().iter().map(|entry| entry.images).max();
        let images = list.images() + largest.unwrap_or_default();
        (images as u64) * (list.pixels() as u64 + 1)
    }
}

/// Loads data, and reports each step of loading files from a folder.
///
/// # Errors
/// Returns an error if a file is missing, unreadable or invalid.
pub fn load(
    source: &DataSource,
    on_step: &mut dyn FnMut(LoadStep),
) -> Result<TrainAndHeldOut, DatasetSourceError> {
    let Some(folder) = &source.folder else {
        return Ok(built_in()?);
    };
    if !folder.is_dir() {
        return Err(source_error::no_folder(folder));
    }
    let files = file_search::find_dataset(folder).map_err(|error| match error {
        SearchError::Read(path, source) => DatasetSourceError::Read { path, source },
        SearchError::Missing(missing, listing) => DatasetSourceError::MissingFiles {
            folder: folder.clone(),
            missing,
            listing,
        },
        SearchError::Ambiguous(prefixes) => DatasetSourceError::SeveralDatasets {
            folder: folder.clone(),
            prefixes,
        },
    })?;
    if source.pixel_order.is_none() {
        warn_of_columns(folder, &files);
    }
    let names = files
        .paths
        .each_ref()
        .map(|path| path.display().to_string());
    check_headers(&files.paths, &names)?;
    let mut contents = [const { Bytes::new() }; 4];
    for ((content, path), name) in contents.iter_mut().zip(&files.paths).zip(&names) {
        *content = read(path, name, on_step)?.into();
    }
    let order = source.pixel_order.unwrap_or_default();
    let mut data = assemble(&names, contents, order, on_step)?;
    data.name = title(folder, &files.prefix, &data);
    data.content = Content::of(&data.train, built_in_training)?;
    Ok(data)
}

/// Loads a folder whose files store pixels row by row.
///
/// # Errors
/// Returns an error if a file is missing, unreadable or invalid.
pub fn from_folder(folder: &Path) -> Result<TrainAndHeldOut, DatasetSourceError> {
    let source = DataSource {
        folder: Some(folder.to_owned()),
        pixel_order: Some(PixelOrder::Rows),
    };
    load(&source, &mut |_| {})
}

/// Loads the built-in 10,000 digits of MNIST; `data/mnist-10k/README.md` describes them.
///
/// # Errors
/// Returns an error if the program was built with invalid files.
pub fn built_in() -> Result<TrainAndHeldOut, DatasetError> {
    let names = built_in_names();
    let files = BUILT_IN.map(Bytes::from_static);
    let mut data = assemble(&names, files, PixelOrder::Rows, &mut |_| {})?;
    let images = data.train.len() + data.held_out.len();
    data.name = format!("MNIST, {} digits (built in)", thousands(images));
    Ok(data)
}

/// Loads the training set of the built-in digits.
fn built_in_training() -> Result<Arc<Dataset>, DatasetError> {
    let names = built_in_names();
    Dataset::training(pair(&names, &BUILT_IN, 0)).map(Arc::new)
}

fn built_in_names() -> [String; 4] {
    FILE_NAMES.map(|name| format!("built-in {name}.gz"))
}

/// Warns of EMNIST, whose files store images column by column.
fn warn_of_columns(folder: &Path, files: &DatasetFiles) {
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let names_it = |text: &str| {
        text.to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| word == "emnist")
    };
    let is_emnist = names_it(&files.prefix)
        || absolute
            .components()
            .rev()
            .take(2)
            .any(|part| names_it(&part.as_os_str().to_string_lossy()));
    if is_emnist {
        tracing::warn!(
            event = "pixel_order_not_set",
            folder = %folder.display(),
            advice = "EMNIST's images are on their side unless they are read with --pixel-order columns",
            "pixel order not set"
        );
    }
}

/// Validates the headers of all files before the long work. Files whose header is deeper are left for later.
fn check_headers(paths: &[PathBuf; 4], names: &[String; 4]) -> Result<(), DatasetSourceError> {
    let mut heads = [const { Vec::new() }; 4];
    for (head, path) in heads.iter_mut().zip(paths) {
        *head = read_at_most(path, HEAD_BYTES)?;
    }
    let checked = pair(names, &heads, 0).shape().and_then(|train| {
        let held_out = pair(names, &heads, 2).held_out_shape(train)?;
        Ok((train, held_out))
    });
    match checked {
        Ok((train, held_out)) => {
            warn_of_size(train, held_out);
            Ok(())
        }
        Err(DatasetError::BadGzip { .. } | DatasetError::TruncatedHeader { .. })
            if heads.iter().any(|head| head.len() as u64 == HEAD_BYTES) =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Warns of data that takes long to load, and much memory of volunteers.
fn warn_of_size(train: ImagesShape, held_out: ImagesShape) {
    let images_bytes = (train.count * train.rows * train.cols) as u64;
    if images_bytes >= LARGE_DATA_BYTES {
        tracing::warn!(
            event = "large_data",
            train_images = train.count,
            held_out_images = held_out.count,
            images_bytes,
            advice = "loading takes a while, and so does packing it for volunteers",
            "training data is large"
        );
    }
}

/// Assembles a dataset without a name from files in the order of [`FILE_NAMES`].
fn assemble(
    names: &[String; 4],
    files: [Bytes; 4],
    order: PixelOrder,
    on_step: &mut dyn FnMut(LoadStep),
) -> Result<TrainAndHeldOut, DatasetError> {
    let mut unpacking = |images: usize, bytes: &Bytes| {
        on_step(step(
            LoadAction::Unpack,
            &names[images],
            0,
            bytes.len() as u64,
        ));
    };
    unpacking(0, &files[0]);
    let train = Dataset::training(pair(names, &files, 0))?.stored_by(order);
    unpacking(2, &files[2]);
    let held_out = Dataset::held_out(pair(names, &files, 2), &train)?.stored_by(order);
    drop(files); // the data can be as large as the memory
    let train = Arc::new(train);
    Ok(TrainAndHeldOut {
        notes: class_notes(&train, &held_out),
        held_out: Arc::new(held_out),
        name: String::new(),
        content: Content::Digits,
        shards: ShardFiles::new(ShardedDataset::cut(Arc::clone(&train))),
        train,
    })
}

/// Returns the pair of files whose images have this position.
fn pair<'a, F: AsRef<[u8]>>(
    names: &'a [String; 4],
    files: &'a [F; 4],
    images: usize,
) -> IdxPair<'a> {
    let file = |index: usize| IdxFile {
        name: &names[index],
        bytes: files[index].as_ref(),
    };
    IdxPair {
        images: file(images),
        labels: file(images + 1),
    }
}

fn step(action: LoadAction, file: &str, done_bytes: u64, total_bytes: u64) -> LoadStep {
    LoadStep {
        action,
        file: file.to_owned(),
        done_bytes,
        total_bytes,
    }
}

fn read(
    path: &Path,
    name: &str,
    on_step: &mut dyn FnMut(LoadStep),
) -> Result<Vec<u8>, DatasetSourceError> {
    let total_bytes = path.metadata().map_or(0, |metadata| metadata.len());
    on_step(step(LoadAction::Read, name, 0, total_bytes));
    let too_large = || DatasetSourceError::TooLarge {
        path: path.to_owned(),
        limit: MAX_FILE_BYTES,
    };
    if total_bytes > MAX_FILE_BYTES {
        return Err(too_large());
    }
    let bytes = read_at_most(path, MAX_FILE_BYTES + 1)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large());
    }
    Ok(bytes)
}

fn read_at_most(path: &Path, count: u64) -> Result<Vec<u8>, DatasetSourceError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(count).read_to_end(&mut bytes))
        .map_err(|source| DatasetSourceError::Read {
            path: path.to_owned(),
            source,
        })?;
    Ok(bytes)
}

/// Returns the name of data: MNIST's, the prefix of the files, or the folder's name, also of `.` or a path that ends in
/// `..`.
fn title(folder: &Path, prefix: &str, data: &TrainAndHeldOut) -> String {
    let images = thousands(data.train.len() + data.held_out.len());
    if data.train.digest() == MNIST_TRAIN_DIGEST {
        return format!("MNIST, {images} digits");
    }
    let prefix = prefix.trim_end_matches(['-', '_', '.']);
    if !prefix.is_empty() {
        return format!("{prefix}, {images} images");
    }
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = absolute.file_name().unwrap_or(absolute.as_os_str());
    format!("{}, {images} images", name.to_string_lossy())
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
