//! Errors in a pair of IDX files, which name the byte in question.

use thiserror::Error;

/// An error in a pair of IDX files, or in a pair of arrays.
///
/// Offsets count bytes of the unpacked file, from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum DatasetError {
    /// A file of another format, recognized by its first bytes.
    #[error("{file}: expected {content}, found {found}: {advice}")]
    ForeignFile {
        file: String,
        content: &'static str,
        found: String,
        advice: &'static str,
    },
    /// A file without a byte.
    #[error("{file}: expected {content}, found an empty file; get the file again")]
    EmptyFile { file: String, content: &'static str },
    /// A magic number of no known format.
    #[error(
        "{file}: expected the magic number {expected:#010x} of {content} at byte 0, found {found:#010x}"
    )]
    WrongMagic {
        file: String,
        content: &'static str,
        expected: u32,
        found: u32,
    },
    /// An IDX file of other dimensions, such as labels in place of images.
    #[error("{file}: expected {content} of {expected}, found {found}; {advice}")]
    WrongDimensions {
        file: String,
        content: &'static str,
        expected: &'static str,
        found: String,
        advice: &'static str,
    },
    /// An IDX file of floats.
    #[error(
        "{file}: expected {content} of integers from 0 to 255, found {found}; write them as unsigned bytes"
    )]
    WrongType {
        file: String,
        content: &'static str,
        found: String,
    },
    /// A number in little-endian byte order.
    #[error(
        "{file}: expected big-endian numbers, as IDX files have, found little-endian ones at byte {offset}; write the \
         highest byte of each number first (in NumPy: dtype \">u4\")"
    )]
    LittleEndian { file: String, offset: u64 },
    /// A number that is no byte.
    #[error("{file}: expected a {value} from 0 to 255 at byte {offset}, found {found}")]
    ValueOutOfRange {
        file: String,
        value: &'static str,
        offset: u64,
        found: i32,
    },
    /// A file that ends inside its header.
    #[error(
        "{file}: expected a header of {expected} bytes, found the end of the file at byte {found}"
    )]
    TruncatedHeader {
        file: String,
        expected: u64,
        found: u64,
    },
    /// A file that ends before the last item announced by its header.
    #[error(
        "{file}: expected {expected} bytes by its header, found the end of the file at byte {found}; the file is cut \
         short: get it again"
    )]
    TruncatedBody {
        file: String,
        expected: u64,
        found: u64,
    },
    /// A file that continues after the last item announced by its header.
    #[error(
        "{file}: expected the file to end at byte {offset} by its header, found more bytes there"
    )]
    TrailingBytes { file: String, offset: u64 },
    /// Headers with different numbers of items (byte 4 of each file).
    #[error(
        "{labels_file}: expected {images} labels at byte 4, one for each image of {images_file}, found {labels}"
    )]
    CountMismatch {
        images_file: String,
        labels_file: String,
        images: u64,
        labels: u64,
    },
    /// A held-out label whose class is not in the training set.
    #[error(
        "{file}: expected a label below {classes} at byte {offset}, as in the training set, found {found}"
    )]
    LabelOutOfRange {
        file: String,
        offset: u64,
        classes: usize,
        found: u8,
    },
    /// A header that announces no images.
    #[error("{file}: expected at least one image at byte 4, found a count of 0")]
    NoImages { file: String },
    /// A header that announces images without a pixel.
    #[error(
        "{file}: expected images of at least one pixel at byte 8, found {rows} rows of {cols} columns"
    )]
    EmptyImages {
        file: String,
        rows: usize,
        cols: usize,
    },
    /// Training labels that are all the same.
    #[error("{file}: expected labels of at least two classes, found only label {found}")]
    TooFewClasses { file: String, found: u8 },
    /// Held-out images whose size is not that of the training images.
    #[error(
        "{file}: expected {expected_rows} rows of {expected_cols} columns at byte 8, as in the training set, \
         found {rows} rows of {cols} columns"
    )]
    SizeMismatch {
        file: String,
        expected_rows: usize,
        expected_cols: usize,
        rows: usize,
        cols: usize,
    },
    /// A gzip file that cannot be unpacked.
    #[error("{file}: expected more gzip data after {offset} unpacked bytes, found {reason}")]
    BadGzip {
        file: String,
        offset: u64,
        reason: String,
    },
    /// A gzip file that continues after its last stream.
    #[error(
        "{file}: expected the end of the file or zeros after the gzip data, found {count} other bytes; get the file again"
    )]
    BytesAfterGzip { file: String, count: usize },
    /// A header that announces more than [`MAX_FILE_BYTES`](super::MAX_FILE_BYTES).
    #[error(
        "{file}: expected at most {limit} bytes by the header at byte 4, found {found}; use fewer or smaller images"
    )]
    TooLarge {
        file: String,
        limit: u64,
        found: u64,
    },
    /// Arrays of inconsistent lengths in [`Dataset::from_parts`](super::Dataset::from_parts).
    #[error(
        "expected {expected} pixels for {labels} images of {rows} rows and {cols} columns, found {found}"
    )]
    PartsMismatch {
        labels: usize,
        rows: usize,
        cols: usize,
        expected: u64,
        found: u64,
    },
}
