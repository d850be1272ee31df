//! Datasets from a pair of IDX files.

use super::idx::{self, Content, MAX_FILE_BYTES};
use super::{Dataset, DatasetError, DatasetParts};

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

/// The number and the size of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImagesShape {
    /// Number of images.
    pub count: usize,
    /// Rows of each image.
    pub rows: usize,
    /// Columns of each image.
    pub cols: usize,
}

/// The role of a dataset, which determines how labels and image size are validated.
#[derive(Clone, Copy)]
enum Role<'a> {
    /// A training set: the classes run to the highest label.
    Training,
    /// A held-out set of this training set.
    HeldOut(&'a Dataset),
}

/// The labels file in errors: its name, and where its labels are.
struct LabelsFile<'a> {
    name: &'a str,
    first_offset: u64,
    stride: u64,
}

impl IdxPair<'_> {
    /// Reads and validates both headers, and nothing else: the beginnings of the files are enough.
    ///
    /// # Errors
    ///
    /// Returns an error if a header is malformed, the two announce no images or different numbers, or a file exceeds
    /// [`MAX_FILE_BYTES`].
    pub fn shape(&self) -> Result<ImagesShape, DatasetError> {
        let images = idx::dimensions(self.images, Content::Images)?;
        let labels = idx::dimensions(self.labels, Content::Labels)?[0];
        let [count, rows, cols] = images.try_into().expect("images have three dimensions");
        if labels != count && labels.swap_bytes() == count {
            return Err(DatasetError::LittleEndian {
                file: self.labels.name.to_owned(),
                offset: 4,
            });
        }
        if labels != count {
            return Err(DatasetError::CountMismatch {
                images_file: self.images.name.to_owned(),
                labels_file: self.labels.name.to_owned(),
                images: u64::from(count),
                labels: u64::from(labels),
            });
        }
        let shape = ImagesShape {
            count: count as usize,
            rows: rows as usize,
            cols: cols as usize,
        };
        validate_shape(self.images.name, shape)?;
        Ok(shape)
    }

    /// Reads and validates both headers as [`shape`](Self::shape) does, and the image size against a training set.
    ///
    /// # Errors
    ///
    /// Returns an error as [`shape`](Self::shape) does, or if the images have another size than those of `train`.
    pub fn held_out_shape(&self, train: ImagesShape) -> Result<ImagesShape, DatasetError> {
        let shape = self.shape()?;
        if (shape.rows, shape.cols) == (train.rows, train.cols) {
            return Ok(shape);
        }
        Err(DatasetError::SizeMismatch {
            file: self.images.name.to_owned(),
            expected_rows: train.rows,
            expected_cols: train.cols,
            rows: shape.rows,
            cols: shape.cols,
        })
    }

    fn read(self, role: Role<'_>) -> Result<Dataset, DatasetError> {
        let shape = match role {
            Role::Training => self.shape()?,
            Role::HeldOut(train) => self.held_out_shape(train.shape())?,
        };
        let images = idx::unpack(self.images, Content::Images)?;
        let labels = idx::unpack(self.labels, Content::Labels)?;
        let (first_offset, stride) = labels.offsets;
        let labels_file = LabelsFile {
            name: self.labels.name,
            first_offset,
            stride,
        };
        let classes = match role {
            Role::Training => class_count(&labels.values, labels_file.name)?,
            Role::HeldOut(train) => {
                validate_labels(&labels.values, train.classes, &labels_file)?;
                train.classes
            }
        };
        let parts = DatasetParts {
            rows: shape.rows,
            cols: shape.cols,
            images: images.values,
            labels: labels.values,
        };
        Ok(Dataset::assemble(parts, classes))
    }
}

impl Dataset {
    /// Reads a training set. The number of classes is the highest label plus one.
    ///
    /// # Errors
    ///
    /// Returns an error if a file is malformed, or the two are not a valid training set.
    pub fn training(pair: IdxPair<'_>) -> Result<Self, DatasetError> {
        pair.read(Role::Training)
    }

    /// Reads the held-out set of a training set: the same image size, and no other classes.
    ///
    /// # Errors
    ///
    /// Returns an error if a file is malformed, or the two are not a valid held-out set of `train`.
    pub fn held_out(pair: IdxPair<'_>, train: &Self) -> Result<Self, DatasetError> {
        pair.read(Role::HeldOut(train))
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
        let expected = [labels.len(), rows, cols]
            .iter()
            .fold(1_u64, |product, &dim| product.saturating_mul(dim as u64));
        let found = images.len() as u64;
        if found != expected {
            return Err(DatasetError::PartsMismatch {
                labels: labels.len(),
                rows,
                cols,
                expected,
                found,
            });
        }
        let count = labels.len();
        validate_shape("images", ImagesShape { count, rows, cols })?;
        let bytes = found + idx::IMAGES_HEADER_BYTES;
        if bytes > MAX_FILE_BYTES {
            return Err(DatasetError::TooLarge {
                file: "images".to_owned(),
                limit: MAX_FILE_BYTES,
                found: bytes,
            });
        }
        let classes = class_count(labels, "labels")?;
        Ok(Self::assemble(parts, classes))
    }
}

fn validate_shape(file: &str, shape: ImagesShape) -> Result<(), DatasetError> {
    let ImagesShape { count, rows, cols } = shape;
    let file = || file.to_owned();
    if count == 0 {
        return Err(DatasetError::NoImages { file: file() });
    }
    if rows == 0 || cols == 0 {
        return Err(DatasetError::EmptyImages {
            file: file(),
            rows,
            cols,
        });
    }
    Ok(())
}

/// Returns the highest label plus one. A dataset needs two classes with images.
fn class_count(labels: &[u8], file: &str) -> Result<usize, DatasetError> {
    let first = labels[0];
    if labels.iter().all(|label| *label == first) {
        return Err(DatasetError::TooFewClasses {
            file: file.to_owned(),
            found: first,
        });
    }
    let highest = labels.iter().fold(0, |highest, label| highest.max(*label));
    Ok(usize::from(highest) + 1)
}

fn validate_labels(
    labels: &[u8],
    classes: usize,
    file: &LabelsFile<'_>,
) -> Result<(), DatasetError> {
    let out_of_range = |&label: &u8| usize::from(label) >= classes;
    match labels.iter().position(out_of_range) {
        None => Ok(()),
        Some(index) => Err(DatasetError::LabelOutOfRange {
            file: file.name.to_owned(),
            offset: file.first_offset + index as u64 * file.stride,
            classes,
            found: labels[index],
        }),
    }
}
