//! Datasets of labelled images, read from IDX files.
//!
//! A [`Dataset`] is valid by construction: one label per image, at least one image, at least one pixel per image, at
//! least two classes, and labels below the number of classes. Pixels are stored as bytes, a quarter of the memory of
//! floats.
//!
//! # Examples
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

mod digest;
mod error;
mod idx;
mod index;

use std::fmt;

use sha2::{Digest, Sha256};

pub use digest::hexadecimal;
pub use error::DatasetError;
pub use idx::MAX_FILE_BYTES;
use idx::{IMAGES, LABELS, Layout};
pub use index::PixelIndex;

/// An IDX file, gzipped or plain, with its name in errors.
#[derive(Clone, Copy, Debug)]
pub struct IdxFile<'a> {
    /// Name of the file in errors.
    pub name: &'a str,
    /// Content of the file.
    pub bytes: &'a [u8],
}

/// A pair of IDX files: images with their labels.
#[derive(Clone, Copy, Debug)]
pub struct IdxPair<'a> {
    /// File of the images (`idx3-ubyte`).
    pub images: IdxFile<'a>,
    /// File of the labels (`idx1-ubyte`), one per image.
    pub labels: IdxFile<'a>,
}

/// The arrays of a training set in memory.
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

/// A dataset of labelled images of one size.
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
    /// The index added by [`Dataset::indexed`].
    index: Option<PixelIndex>,
}

/// The role of a dataset, which determines how labels and image size are validated.
enum Role<'a> {
    /// A training set: the classes run to the highest label.
    Training,
    /// A held-out set of this training set.
    HeldOut(&'a Dataset),
}

/// The names of a dataset's files in errors.
struct Names<'a> {
    images: &'a str,
    labels: &'a str,
}

impl Dataset {
    /// Reads a training set. The number of classes is the highest label plus one.
    ///
    /// # Errors
    ///
    /// Returns an error if a file is malformed, or the two are not a valid training set.
    pub fn training(pair: IdxPair<'_>) -> Result<Self, DatasetError> {
        Self::from_idx(pair, &Role::Training)
    }

    /// Reads the held-out set of a training set: the same image size, and no other classes.
    ///
    /// # Errors
    ///
    /// Returns an error if a file is malformed, or the two are not a valid held-out set of `train`.
    pub fn held_out(pair: IdxPair<'_>, train: &Self) -> Result<Self, DatasetError> {
        Self::from_idx(pair, &Role::HeldOut(train))
    }

    /// Creates a training set from arrays, with the same validation as files.
    ///
    /// # Errors
    ///
    /// Returns an error if the lengths of the arrays are inconsistent, or they are not a valid training set.
    pub fn from_parts(parts: DatasetParts) -> Result<Self, DatasetError> {
        let DatasetParts {
            rows,
            cols,
            ref images,
            ref labels,
        } = parts;
        let found = images.len() as u64;
        let file_bytes = Layout::<3>::file_bytes([labels.len(), rows, cols].map(|dim| dim as u64));
        let expected = file_bytes - Layout::<3>::HEADER_BYTES;
        if found != expected {
            return Err(DatasetError::PartsMismatch {
                labels: labels.len(),
                rows,
                cols,
                expected,
                found,
            });
        }
        Self::validated(
            parts,
            &Names {
                images: "images",
                labels: "labels",
            },
            &Role::Training,
        )
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
        Self::validated(
            parts,
            &Names {
                images: pair.images.name,
                labels: pair.labels.name,
            },
            role,
        )
    }

    /// Validates a dataset whose arrays have consistent lengths.
    fn validated(
        parts: DatasetParts,
        names: &Names<'_>,
        role: &Role<'_>,
    ) -> Result<Self, DatasetError> {
        let DatasetParts {
            rows,
            cols,
            images,
            labels,
        } = parts;
        if labels.is_empty() {
            return Err(DatasetError::NoImages {
                file: names.images.to_owned(),
            });
        }
        if images.is_empty() {
            return Err(DatasetError::EmptyImages {
                file: names.images.to_owned(),
                rows,
                cols,
            });
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
                validate_held_out(train, &labels, (rows, cols), names)?;
                train.classes
            }
        };
        let mut dataset = Self {
            images,
            labels,
            rows,
            cols,
            classes,
            digest: [0; 32],
            index: None,
        };
        dataset.digest = dataset.compute_digest();
        Ok(dataset)
    }

    /// Returns the images at `positions`, in order, with the same classes: a shard, or a part to hold out.
    ///
    /// # Panics
    ///
    /// Panics if `positions` is empty, or a position is not below [`len`](Self::len).
    #[must_use]
    pub fn select(&self, positions: impl Iterator<Item = usize>) -> Self {
        let mut images = Vec::new();
        let mut labels = Vec::new();
        for position in positions {
            images.extend_from_slice(self.image(position));
            labels.push(self.label(position));
        }
        self.with(images, labels)
    }

    /// Returns the same images with each label replaced by `map(label)`.
    ///
    /// # Panics
    ///
    /// Panics if a new label is not below [`classes`](Self::classes).
    #[must_use]
    pub fn map_labels(&self, map: impl Fn(u8) -> u8) -> Self {
        let labels = self.labels.iter().map(|label| map(*label)).collect();
        self.with(self.images.clone(), labels)
    }

    fn with(&self, images: Vec<u8>, labels: Vec<u8>) -> Self {
        assert!(!labels.is_empty(), "a dataset is never empty");
        assert!(
            labels
                .iter()
                .all(|&label| usize::from(label) < self.classes),
            "a label of a class"
        );
        let Self {
            rows,
            cols,
            classes,
            ..
        } = *self;
        let mut dataset = Self {
            images,
            labels,
            rows,
            cols,
            classes,
            digest: [0; 32],
            index: None,
        };
        dataset.digest = dataset.compute_digest();
        dataset
    }

    /// Adds an index of the nonzero pixels, of three bytes each.
    ///
    /// Minibatches are unchanged and are drawn several times faster.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        self.index = PixelIndex::new(&self);
        self
    }

    /// Returns the index of the nonzero pixels; `None` without one.
    pub fn index(&self) -> Option<&PixelIndex> {
        self.index.as_ref()
    }

    /// Returns the number of images, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a dataset is never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns the number of rows of an image.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the number of columns of an image.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Returns the number of pixels of an image: rows x columns.
    pub fn pixels(&self) -> usize {
        self.rows * self.cols
    }

    /// Returns the number of classes, 2 to 256. Every label is below it.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the pixels of an image, `[rows * cols]`, in row order.
    ///
    /// # Panics
    ///
    /// Panics if `index` is not below [`len`](Self::len).
    pub fn image(&self, index: usize) -> &[u8] {
        let pixels = self.pixels();
        &self.images[index * pixels..][..pixels]
    }

    /// Returns the label of an image.
    ///
    /// # Panics
    ///
    /// Panics if `index` is not below [`len`](Self::len).
    pub fn label(&self, index: usize) -> u8 {
        self.labels[index]
    }

    /// Returns all pixels, `[count, rows * cols]`.
    pub fn images(&self) -> &[u8] {
        &self.images
    }

    /// Returns all labels, `[count]`.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Returns the SHA-256 of the unpacked IDX file of the images followed by that of the labels.
    ///
    /// On the command line: `(zcat images.gz; zcat labels.gz) | sha256sum`.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Returns the images as an IDX file, not gzipped.
    pub fn to_idx_images(&self) -> Vec<u8> {
        let mut file = self.images_header();
        file.extend_from_slice(&self.images);
        file
    }

    /// Returns the labels as an IDX file, not gzipped.
    pub fn to_idx_labels(&self) -> Vec<u8> {
        let mut file = self.labels_header();
        file.extend_from_slice(&self.labels);
        file
    }

    // The dimensions fit u32: their product is not zero and at most MAX_FILE_BYTES.
    fn images_header(&self) -> Vec<u8> {
        IMAGES
            .header([self.len() as u32, self.rows as u32, self.cols as u32])
            .collect()
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

/// Omits the pixels.
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
        _ => Err(DatasetError::TooFewClasses {
            file: names.labels.to_owned(),
        }),
    }
}

fn validate_held_out(
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
    let out_of_range = |&label: &u8| usize::from(label) >= train.classes;
    match labels.iter().position(out_of_range) {
        None => Ok(()),
        Some(index) => Err(DatasetError::LabelOutOfRange {
            file: names.labels.to_owned(),
            offset: Layout::<1>::HEADER_BYTES + index as u64,
            classes: train.classes,
            found: labels[index],
        }),
    }
}
