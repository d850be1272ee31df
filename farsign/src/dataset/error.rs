//! What can be wrong with a pair of IDX files, said so that the reader can look at the byte in question.

use thiserror::Error;

/// Why a pair of IDX files, or a pair of arrays, is not a usable dataset.
///
/// Offsets count bytes of the unpacked file, from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DatasetError {
    /// The file starts with another magic number than its content calls for.
    #[error("{file}: expected the magic number {expected:#010x} of {content} at byte 0, found {found:#010x}")]
    WrongMagic {
        /// The file's name.
        file: String,
        /// What the file should hold: "IDX images" or "IDX labels".
        content: &'static str,
        /// The magic number of such a file.
        expected: u32,
        /// The file's first four bytes, most significant first.
        found: u32,
    },
    /// The file ends inside its header.
    #[error("{file}: expected a header of {expected} bytes, found the end of the file at byte {found}")]
    TruncatedHeader {
        /// The file's name.
        file: String,
        /// Length of the header.
        expected: u64,
        /// Where the file ends.
        found: u64,
    },
    /// The file ends before the last item that its header announces.
    #[error("{file}: expected {expected} bytes by its header, found the end of the file at byte {found}")]
    TruncatedBody {
        /// The file's name.
        file: String,
        /// Length of the whole file, by its header.
        expected: u64,
        /// Where the file ends.
        found: u64,
    },
    /// The file goes on after the last item that its header announces.
    #[error("{file}: expected the file to end at byte {offset} by its header, found more bytes there")]
    TrailingBytes {
        /// The file's name.
        file: String,
        /// Where the file should end.
        offset: u64,
    },
    /// The two headers disagree about the number of items (byte 4 of each file).
    #[error(
        "{labels_file}: expected {images} labels at byte 4, one for each image of {images_file}, found {labels}"
    )]
    CountMismatch {
        /// The name of the file of images.
        images_file: String,
        /// The name of the file of labels.
        labels_file: String,
        /// Number of images.
        images: u64,
        /// Number of labels.
        labels: u64,
    },
    /// A held-out label names a class that the training set does not have.
    #[error("{file}: expected a label below {classes} at byte {offset}, found {found}")]
    LabelOutOfRange {
        /// The file's name.
        file: String,
        /// Where the label is.
        offset: u64,
        /// Number of classes in the training set.
        classes: usize,
        /// The label.
        found: u8,
    },
    /// The header announces no images.
    #[error("{file}: expected at least one image at byte 4, found a count of 0")]
    NoImages {
        /// The file's name.
        file: String,
    },
    /// The header announces images without a pixel.
    #[error("{file}: expected images of at least one pixel at byte 8, found {rows} rows of {cols} columns")]
    EmptyImages {
        /// The file's name.
        file: String,
        /// Rows of each image.
        rows: usize,
        /// Columns of each image.
        cols: usize,
    },
    /// All training labels are 0: there is nothing to tell apart.
    #[error("{file}: expected labels of at least two classes from byte 8 on, found only label 0")]
    TooFewClasses {
        /// The file's name.
        file: String,
    },
    /// The held-out images are of another size than the training images.
    #[error(
        "{file}: expected {expected_rows} rows of {expected_cols} columns at byte 8, as in the training set, \
         found {rows} rows of {cols} columns"
    )]
    SizeMismatch {
        /// The name of the file of held-out images.
        file: String,
        /// Rows of a training image.
        expected_rows: usize,
        /// Columns of a training image.
        expected_cols: usize,
        /// Rows of a held-out image.
        rows: usize,
        /// Columns of a held-out image.
        cols: usize,
    },
    /// The file starts like a gzip file and cannot be unpacked.
    #[error("{file}: expected more gzip data after {offset} unpacked bytes, found {reason}")]
    BadGzip {
        /// The file's name.
        file: String,
        /// Number of bytes that came out before the fault.
        offset: u64,
        /// What the decompressor says.
        reason: String,
    },
    /// The header announces more than [`MAX_FILE_BYTES`](super::MAX_FILE_BYTES).
    #[error("{file}: expected at most {limit} bytes by the header at byte 4, found {found}")]
    TooLarge {
        /// The file's name.
        file: String,
        /// The most that is accepted.
        limit: u64,
        /// What the header announces; `u64::MAX` if it is more than that.
        found: u64,
    },
    /// The arrays given to [`Dataset::from_parts`](super::Dataset::from_parts) do not fit each other.
    #[error(
        "expected {expected} pixels for {labels} images of {rows} rows and {cols} columns, found {found}"
    )]
    PartsMismatch {
        /// Number of labels.
        labels: usize,
        /// Rows of each image.
        rows: usize,
        /// Columns of each image.
        cols: usize,
        /// labels x rows x cols.
        expected: u64,
        /// Number of pixels given.
        found: u64,
    },
}
