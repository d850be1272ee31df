//! The IDX format, gzipped or plain, decoded in bounded memory.
//!
//! ```text
//! images   0: 00 00 08 03   4: count u32   8: rows u32   12: cols u32   16: count * rows * cols bytes
//! labels   0: 00 00 08 01   4: count u32   8: count bytes
//! ```
//! Numbers are big-endian. In the magic number, 08 means "unsigned bytes" and the last byte is the number of
//! dimensions. A shard that volunteers download is such a pair. Files of other integers (09, 0B and 0C: signed ones of 1, 2
//! and 4 bytes) are read too if their values are bytes, and so are QMNIST's labels: 0C with the dimensions count and 8,
//! where the class is the first of 8 numbers.
//!
//! Memory is bounded by the body that the header announces, by [`MAX_FILE_BYTES`], and by the size that the given bytes
//! can unpack to. A small gzip file that unpacks to gigabytes, or a header that announces them, therefore costs no
//! memory.

mod header;
mod source;
mod values;

use super::{DatasetError, IdxFile};
use header::Header;
pub(super) use source::MAX_DEFLATE_RATIO;
use source::Source;

/// Largest unpacked file: 1 GiB, twenty times the training images of MNIST.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// Size of the header of images.
pub(super) const IMAGES_HEADER_BYTES: u64 = 16;

/// Size of the header of labels.
pub(super) const LABELS_HEADER_BYTES: u64 = 8;

/// Returns the header of a file of images. The dimensions fit u32: their product is not zero and at most
/// [`MAX_FILE_BYTES`].
pub(super) fn images_header(count: usize, rows: usize, cols: usize) -> Vec<u8> {
    Content::Images.header(&[count as u32, rows as u32, cols as u32])
}

/// Returns the header of a file of labels, whose count fits u32.
pub(super) fn labels_header(count: usize) -> Vec<u8> {
    Content::Labels.header(&[count as u32])
}

/// A content of an IDX file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Images,
    Labels,
}

impl Content {
    /// Returns the header of a file of unsigned bytes.
    pub fn header(self, dims: &[u32]) -> Vec<u8> {
        std::iter::once(self.magic())
            .chain(dims.iter().copied())
            .flat_map(u32::to_be_bytes)
            .collect()
    }

    fn magic(self) -> u32 {
        match self {
            Self::Images => 0x0000_0803,
            Self::Labels => 0x0000_0801,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Images => "IDX images",
            Self::Labels => "IDX labels",
        }
    }

    fn value(self) -> &'static str {
        match self {
            Self::Images => "pixel",
            Self::Labels => "label",
        }
    }

    fn dimensions(self) -> &'static str {
        match self {
            Self::Images => "3 dimensions: images, rows, columns",
            Self::Labels => "1 dimension: labels",
        }
    }
}

/// An unpacked file.
pub(super) struct Unpacked {
    /// One byte for each pixel or label.
    pub values: Vec<u8>,
    /// Offsets of labels in the file: the first, and the distance between two.
    pub offsets: (u64, u64),
}

/// Returns the dimensions that the header of a file announces. The rest of the file is not read.
pub(super) fn dimensions(file: IdxFile<'_>, content: Content) -> Result<Vec<u32>, DatasetError> {
    Ok(Header::read(&mut Source::new(file), content)?.dims)
}

/// Unpacks a file whose size must match its header.
pub(super) fn unpack(file: IdxFile<'_>, content: Content) -> Result<Unpacked, DatasetError> {
    let mut source = Source::new(file);
    let header = Header::read(&mut source, content)?;
    let values = values::read(&mut source, &header, content)?;
    let expected = header.file_bytes();
    let found = source.offset;
    let file = || file.name.to_owned();
    if found < expected {
        return Err(DatasetError::TruncatedBody {
            file: file(),
            expected,
            found,
        });
    }
    // Reading to the end also validates the gzip checksum.
    if !source.read(1)?.is_empty() {
        return Err(DatasetError::TrailingBytes {
            file: file(),
            offset: expected,
        });
    }
    Ok(Unpacked {
        values,
        offsets: (header.bytes(), header.columns() * header.element.bytes()),
    })
}
