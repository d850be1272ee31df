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
mod drawn;
mod error;
mod foreign;
mod gzip;
mod idx;
mod index;
mod pair;
mod pixel_order;
mod shards;

use std::fmt;

use sha2::{Digest, Sha256};

pub use digest::{hexadecimal, parse_hexadecimal};
pub use drawn::DrawnImages;
pub use error::DatasetError;
pub use foreign::{ForeignFormat, foreign_format};
pub use gzip::{BytesAfterGzip, GzipReader, is_gzip};
pub use idx::MAX_FILE_BYTES;
use idx::{images_header, labels_header};
pub use index::PixelIndex;
pub use pair::{IdxFile, IdxPair, ImagesShape};
pub use pixel_order::PixelOrder;
pub use shards::{
    DatasetView, MAX_SHARDS, SHARD_BYTES, ShardEntry, ShardError, ShardList, ShardListError,
    ShardPlan, ShardedDataset,
};

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

impl Dataset {
    /// Creates a dataset from valid parts.
    fn assemble(parts: DatasetParts, classes: usize) -> Self {
        let mut dataset = Self::with_digest(parts, classes, [0; 32]);
        dataset.digest = dataset.compute_digest();
        dataset
    }

    /// Creates a dataset from valid parts whose digest is known.
    fn with_digest(parts: DatasetParts, classes: usize, digest: [u8; 32]) -> Self {
        let DatasetParts {
            rows,
            cols,
            images,
            labels,
        } = parts;
        Self {
            images,
            labels,
            rows,
            cols,
            classes,
            digest,
            index: None,
        }
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
        let parts = DatasetParts {
            rows: self.rows,
            cols: self.cols,
            images,
            labels,
        };
        Self::assemble(parts, self.classes)
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

    /// Returns the number and the size of the images.
    pub fn shape(&self) -> ImagesShape {
        ImagesShape {
            count: self.len(),
            rows: self.rows,
            cols: self.cols,
        }
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

    fn images_header(&self) -> Vec<u8> {
        images_header(self.len(), self.rows, self.cols)
    }

    fn labels_header(&self) -> Vec<u8> {
        labels_header(self.len())
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
