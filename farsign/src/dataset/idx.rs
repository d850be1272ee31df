//! The IDX format, gzipped or plain, decoded in bounded memory.
//!
//! ```text
//! images   0: 00 00 08 03   4: count u32   8: rows u32   12: cols u32   16: count * rows * cols bytes
//! labels   0: 00 00 08 01   4: count u32   8: count bytes
//! ```
//! Numbers are big-endian. In the magic number, 08 means "unsigned bytes" and the last byte is the number of
//! dimensions.
//!
//! Memory is bounded by the body that the header announces, by [`MAX_FILE_BYTES`], and by the size that the given bytes
//! can unpack to. A small gzip file that unpacks to gigabytes, or a header that announces them, therefore costs no
//! memory.

use std::io::{ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use super::{DatasetError, IdxFile};

/// Largest unpacked file: 1 GiB, twenty times the training images of MNIST.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// Largest ratio of deflate, which encodes 258 bytes in at least two bits.
const MAX_DEFLATE_RATIO: u64 = 1032;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A layout of an IDX file: unsigned bytes in `D` dimensions.
pub(super) struct Layout<const D: usize> {
    content: &'static str,
    magic: u32,
}

pub(super) const IMAGES: Layout<3> = Layout {
    content: "IDX images",
    magic: 0x0000_0803,
};
pub(super) const LABELS: Layout<1> = Layout {
    content: "IDX labels",
    magic: 0x0000_0801,
};

/// An unpacked file: its dimensions, with the number of items first, and its items.
pub(super) struct Unpacked<const D: usize> {
    pub dims: [u32; D],
    pub body: Vec<u8>,
}

impl<const D: usize> Layout<D> {
    /// Size of the header.
    pub const HEADER_BYTES: u64 = 4 + 4 * D as u64;

    /// Returns the header of a file with dimensions `dims`.
    pub fn header(&self, dims: [u32; D]) -> impl Iterator<Item = u8> {
        std::iter::once(self.magic)
            .chain(dims)
            .flat_map(u32::to_be_bytes)
    }

    /// Returns the size of a file with dimensions `dims`, saturated at `u64::MAX`.
    pub fn file_bytes(dims: [u64; D]) -> u64 {
        dims.iter()
            .fold(1_u64, |product, &dim| product.saturating_mul(dim))
            .saturating_add(Self::HEADER_BYTES)
    }

    /// Unpacks a file whose size must match its header.
    pub fn unpack(&self, file: IdxFile<'_>) -> Result<Unpacked<D>, DatasetError> {
        let mut source = Source::new(file);
        let dims = self.read_header(&mut source)?;
        let expected = Self::file_bytes(dims.map(u64::from));
        if expected > MAX_FILE_BYTES {
            return Err(DatasetError::TooLarge {
                file: file.name.to_owned(),
                limit: MAX_FILE_BYTES,
                found: expected,
            });
        }
        let body = source.read(expected - Self::HEADER_BYTES)?;
        if source.offset < expected {
            return Err(DatasetError::TruncatedBody {
                file: file.name.to_owned(),
                expected,
                found: source.offset,
            });
        }
        // Reading to the end also validates the gzip checksum.
        if !source.read(1)?.is_empty() {
            return Err(DatasetError::TrailingBytes {
                file: file.name.to_owned(),
                offset: expected,
            });
        }
        Ok(Unpacked { dims, body })
    }

    /// Reads the header. The magic number is validated first, so that a short file of another kind is reported as such.
    fn read_header(&self, source: &mut Source<'_>) -> Result<[u32; D], DatasetError> {
        let header = source.read(Self::HEADER_BYTES)?;
        let (words, _) = header.as_chunks::<4>();
        if let Some(&magic) = words.first()
            && u32::from_be_bytes(magic) != self.magic
        {
            return Err(DatasetError::WrongMagic {
                file: source.file.to_owned(),
                content: self.content,
                expected: self.magic,
                found: u32::from_be_bytes(magic),
            });
        }
        if source.offset < Self::HEADER_BYTES {
            return Err(DatasetError::TruncatedHeader {
                file: source.file.to_owned(),
                expected: Self::HEADER_BYTES,
                found: source.offset,
            });
        }
        Ok(std::array::from_fn(|dim| {
            u32::from_be_bytes(words[1 + dim])
        }))
    }
}

/// A reader of the unpacked bytes of a file.
struct Source<'a> {
    file: &'a str,
    bytes: Bytes<'a>,
    /// Upper bound of the unpacked size.
    capacity: u64,
    /// Number of unpacked bytes that were read.
    offset: u64,
}

enum Bytes<'a> {
    Plain(&'a [u8]),
    Gzip(MultiGzDecoder<&'a [u8]>),
}

impl<'a> Source<'a> {
    fn new(file: IdxFile<'a>) -> Self {
        let length = file.bytes.len() as u64;
        let (bytes, capacity) = if file.bytes.starts_with(&GZIP_MAGIC) {
            (
                Bytes::Gzip(MultiGzDecoder::new(file.bytes)),
                length.saturating_mul(MAX_DEFLATE_RATIO),
            )
        } else {
            (Bytes::Plain(file.bytes), length)
        };
        Self {
            file: file.name,
            bytes,
            capacity,
            offset: 0,
        }
    }

    /// Reads the next `count` bytes, or all remaining ones if they are fewer.
    fn read(&mut self, count: u64) -> Result<Vec<u8>, DatasetError> {
        let mut read = Vec::with_capacity(count.min(self.capacity) as usize);
        let outcome = match &mut self.bytes {
            Bytes::Plain(bytes) => bytes.take(count).read_to_end(&mut read),
            Bytes::Gzip(decoder) => decoder.take(count).read_to_end(&mut read),
        };
        self.offset += read.len() as u64;
        match outcome {
            Ok(_) => Ok(read),
            Err(error) => Err(DatasetError::BadGzip {
                file: self.file.to_owned(),
                offset: self.offset,
                reason: match error.kind() {
                    ErrorKind::UnexpectedEof => "the end of the file".to_owned(),
                    _ => error.to_string(),
                },
            }),
        }
    }
}
