//! Labelled images: IDX bytes in, checked arrays out.
//!
//! A [`Dataset`] is valid by construction: one label for each image, at least one image, at least one
//! pixel in it, at least two classes, every label below the number of classes. Pixels stay bytes: a quarter
//! of the memory of floats.
//!
//! ```
//! use farsign::dataset::{Dataset, DatasetParts, IdxFile, IdxPair};
//!
//! // Two images of 1 x 2 pixels, of classes 0 and 1.
//! let parts = DatasetParts { rows: 1, cols: 2, images: vec![9, 0, 0, 9], labels: vec![0, 1] };
//! let train = Dataset::from_parts(parts)?;
//! assert_eq!((train.len(), train.pixels(), train.classes()), (2, 2, 2));
//! assert_eq!((train.image(1), train.label(1)), (&[0, 9][..], 1));
//!
//! // Through the file format and back.
//! let (images, labels) = (train.to_idx_images(), train.to_idx_labels());
//! let again = Dataset::training(IdxPair {
//!     images: IdxFile { name: "train-images-idx3-ubyte", bytes: &images },
//!     labels: IdxFile { name: "train-labels-idx1-ubyte", bytes: &labels },
//! })?;
//! assert_eq!(again.digest(), train.digest());
//! # Ok::<(), farsign::dataset::DatasetError>(())
//! ```

mod error;
mod idx;
mod index;

use std::fmt;

use sha2::{Digest, Sha256};

pub use error::DatasetError;
pub use idx::MAX_FILE_BYTES;
use idx::{IMAGES, LABELS, Layout};
pub use index::PixelIndex;

/// The bytes of an IDX file, gzipped or plain, and the name to call it by in errors.
#[derive(Clone, Copy, Debug)]
pub struct IdxFile<'a> {
    /// How errors name the file.
    pub name: &'a str,
    /// The file's content.
    pub bytes: &'a [u8],
}

/// Images with their labels.
#[derive(Clone, Copy, Debug)]
pub struct IdxPair<'a> {
    /// A file of images (`idx3-ubyte`).
    pub images: IdxFile<'a>,
    /// A file of as many labels (`idx1-ubyte`).
    pub labels: IdxFile<'a>,
}

/// Training images made in memory, for example by a generator.
#[derive(Clone, Debug)]
pub struct DatasetParts {
    /// Rows of each image.
    pub rows: usize,
    /// Columns of each image.
    pub cols: usize,
    /// Pixels, `[count, rows * cols]`.
    pub images: Vec<u8>,
    /// Labels, `[count]`.
    pub labels: Vec<u8>,
}

/// Labelled images of one size.
#[derive(Clone, PartialEq, Eq)]
pub struct Dataset {
    /// `[count, rows * cols]`
    images: Vec<u8>,
    /// `[count]`, each below `classes`
    labels: Vec<u8>,
    rows: usize,
    cols: usize,
    classes: usize,
    digest: [u8; 32],
    /// What [`Dataset::indexed`] adds.
    index: Option<PixelIndex>,
}

/// What a dataset's labels and image size are checked against.
enum Role<'a> {
    /// Nothing: the classes run to the highest label.
    Training,
    /// This training set.
    HeldOut(&'a Dataset),
}

/// How errors name the two halves of a dataset.
struct Names<'a> {
    images: &'a str,
    labels: &'a str,
}

impl Dataset {
    /// Reads a training set. It has as many classes as its highest label plus one.
    ///
    /// # Errors
    /// If a file is broken, or the two do not make a dataset: see [`DatasetError`].
    pub fn training(pair: IdxPair<'_>) -> Result<Self, DatasetError> {
        Self::from_idx(pair, &Role::Training)
    }

    /// Reads a held-out set that goes with a training set: the same image size, no other classes.
    ///
    /// # Errors
    /// If a file is broken, or the two do not make a dataset, or it does not go with `train`: see
    /// [`DatasetError`].
    pub fn held_out(pair: IdxPair<'_>, train: &Self) -> Result<Self, DatasetError> {
        Self::from_idx(pair, &Role::HeldOut(train))
    }

    /// Makes a training set of arrays, under the same checks as one read from files.
    ///
    /// # Errors
    /// If the arrays do not fit each other or would not pass as files: see [`DatasetError`].
    pub fn from_parts(parts: DatasetParts) -> Result<Self, DatasetError> {
        let DatasetParts { rows, cols, ref images, ref labels } = parts;
        let found = images.len() as u64;
        let file_bytes = Layout::<3>::file_bytes([labels.len(), rows, cols].map(|dim| dim as u64));
        let expected = file_bytes - Layout::<3>::HEADER_BYTES;
        if found != expected {
            return Err(DatasetError::PartsMismatch { labels: labels.len(), rows, cols, expected, found });
        }
        Self::checked(parts, &Names { images: "images", labels: "labels" }, &Role::Training)
    }

    fn from_idx(pair: IdxPair<'_>, role: &Role<'_>) -> Result<Self, DatasetError> {
        let images = IMAGES.unpack(pair.images)?;
        let labels = LABELS.unpack(pair.labels)?;
        let [count, rows, cols] = images.dims;
        if labels.dims != [count] {
            return Err(DatasetError::CountMismatch {
                images_file: pair.images.name.to_owned(),
                labels_file: pair.labels.name.to_owned(),
                images: u64::from(count),
                labels: u64::from(labels.dims[0]),
            });
        }
        let parts = DatasetParts {
            rows: rows as usize,
            cols: cols as usize,
            images: images.body,
            labels: labels.body,
        };
        Self::checked(parts, &Names { images: pair.images.name, labels: pair.labels.name }, role)
    }

    /// Every dataset passes here. The arrays already fit each other.
    fn checked(parts: DatasetParts, names: &Names<'_>, role: &Role<'_>) -> Result<Self, DatasetError> {
        let DatasetParts { rows, cols, images, labels } = parts;
        if labels.is_empty() {
            return Err(DatasetError::NoImages { file: names.images.to_owned() });
        }
        if images.is_empty() {
            return Err(DatasetError::EmptyImages { file: names.images.to_owned(), rows, cols });
        }
        let largest = Layout::<3>::file_bytes([images.len() as u64, 1, 1]);
        if largest > MAX_FILE_BYTES {
            return Err(DatasetError::TooLarge {
                file: names.images.to_owned(),
                limit: MAX_FILE_BYTES,
                found: largest,
            });
        }
        let classes = match role {
            Role::Training => class_count(&labels, names)?,
            Role::HeldOut(train) => {
                check_against(train, &labels, (rows, cols), names)?;
                train.classes
            }
        };
        let mut dataset = Self { images, labels, rows, cols, classes, digest: [0; 32], index: None };
        dataset.digest = dataset.compute_digest();
        Ok(dataset)
    }

    /// The images at these positions, in this order, with these labels' classes: a shard, or a part to hold out.
    ///
    /// # Panics
    /// If there is no position, or one is not below [`len`](Self::len).
    #[must_use]
    pub fn select(&self, positions: impl Iterator<Item = usize>) -> Self {
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        for position in positions {
            images.extend_from_slice(self.image(position));
            labels.push(self.label(position));
        }
        self.with(images, labels)
    }

    /// The same images with other labels.
    ///
    /// # Panics
    /// If there is another number of labels, or one is not below [`classes`](Self::classes).
    #[must_use]
    pub fn relabelled(&self, labels: Vec<u8>) -> Self {
        assert_eq!(labels.len(), self.len(), "a label for each image");
        self.with(self.images.clone(), labels)
    }

    fn with(&self, images: Vec<u8>, labels: Vec<u8>) -> Self {
        assert!(!labels.is_empty(), "a dataset is never empty");
        assert!(labels.iter().all(|&label| usize::from(label) < self.classes), "a label of a class");
        let Self { rows, cols, classes, .. } = *self;
        let mut made = Self { images, labels, rows, cols, classes, digest: [0; 32], index: None };
        made.digest = made.compute_digest();
        made
    }

    /// The same data with a list of the pixels that are not zero beside it, three bytes each: minibatches are the same
    /// and are drawn several times faster. For those who draw many and have the memory.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        self.index = PixelIndex::new(&self);
        self
    }

    /// The list of pixels that are not zero, where there is one.
    pub fn index(&self) -> Option<&PixelIndex> {
        self.index.as_ref()
    }

    /// Number of images, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a dataset is never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Rows of each image.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of each image.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Bytes of each image: rows x cols.
    pub fn pixels(&self) -> usize {
        self.rows * self.cols
    }

    /// Number of classes, 2 to 256; every label is below it.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The pixels of an image, `[rows * cols]`, row by row.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn image(&self, index: usize) -> &[u8] {
        let pixels = self.pixels();
        &self.images[index * pixels..][..pixels]
    }

    /// The label of an image.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn label(&self, index: usize) -> u8 {
        self.labels[index]
    }

    /// All pixels, `[count, rows * cols]`.
    pub fn images(&self) -> &[u8] {
        &self.images
    }

    /// All labels, `[count]`.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// SHA-256 over the unpacked IDX file of the images followed by the unpacked IDX file of the labels:
    /// `(zcat images.gz; zcat labels.gz) | sha256sum`.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The images as an IDX file, not gzipped.
    pub fn to_idx_images(&self) -> Vec<u8> {
        let mut file = self.images_header();
        file.extend_from_slice(&self.images);
        file
    }

    /// The labels as an IDX file, not gzipped.
    pub fn to_idx_labels(&self) -> Vec<u8> {
        let mut file = self.labels_header();
        file.extend_from_slice(&self.labels);
        file
    }

    // The dimensions fit u32: their product is not zero and at most MAX_FILE_BYTES.
    fn images_header(&self) -> Vec<u8> {
        IMAGES.header([self.len() as u32, self.rows as u32, self.cols as u32]).collect()
    }

    fn labels_header(&self) -> Vec<u8> {
        LABELS.header([self.len() as u32]).collect()
    }

    fn compute_digest(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.images_header())
            .chain_update(&self.images)
            .chain_update(self.labels_header())
            .chain_update(&self.labels)
            .finalize()
            .into()
    }
}

/// Without the pixels.
impl fmt::Debug for Dataset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Dataset")
            .field("len", &self.len())
            .field("rows", &self.rows)
            .field("cols", &self.cols)
            .field("classes", &self.classes)
            .finish_non_exhaustive()
    }
}

fn class_count(labels: &[u8], names: &Names<'_>) -> Result<usize, DatasetError> {
    match labels.iter().max() {
        Some(&highest) if highest > 0 => Ok(usize::from(highest) + 1),
        _ => Err(DatasetError::TooFewClasses { file: names.labels.to_owned() }),
    }
}

fn check_against(
    train: &Dataset,
    labels: &[u8],
    (rows, cols): (usize, usize),
    names: &Names<'_>,
) -> Result<(), DatasetError> {
    if (rows, cols) != (train.rows, train.cols) {
        return Err(DatasetError::SizeMismatch {
            file: names.images.to_owned(),
            expected_rows: train.rows,
            expected_cols: train.cols,
            rows,
            cols,
        });
    }
    match labels.iter().position(|&label| usize::from(label) >= train.classes) {
        None => Ok(()),
        Some(index) => Err(DatasetError::LabelOutOfRange {
            file: names.labels.to_owned(),
            offset: Layout::<1>::HEADER_BYTES + index as u64,
            classes: train.classes,
            found: labels[index],
        }),
    }
}

/// A SHA-256 for people: 64 digits.
pub fn hexadecimal(digest: [u8; 32]) -> String {
    digest.map(|byte| format!("{byte:02x}")).concat()
}
