//! The unpacked bytes of a file, gzipped or plain.

use std::io::{ErrorKind, Read};

use crate::dataset::gzip::{BytesAfterGzip, GzipReader, is_gzip};
use crate::dataset::{DatasetError, IdxFile};

/// Largest ratio of deflate, which encodes 258 bytes in at least two bits.
pub(crate) const MAX_DEFLATE_RATIO: u64 = 1032;

/// A reader of the unpacked bytes of a file.
pub(super) struct Source<'a> {
    pub file: &'a str,
    /// Number of unpacked bytes that were read.
    pub offset: u64,
    /// Upper bound of the unpacked size.
    capacity: u64,
    bytes: Bytes<'a>,
}

enum Bytes<'a> {
    Plain(&'a [u8]),
    Gzip(GzipReader<'a>),
}

impl<'a> Source<'a> {
    pub fn new(file: IdxFile<'a>) -> Self {
        let length = file.bytes.len() as u64;
        let (bytes, capacity) = if is_gzip(file.bytes) {
            (
                Bytes::Gzip(GzipReader::new(file.bytes)),
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
    pub fn read(&mut self, count: u64) -> Result<Vec<u8>, DatasetError> {
        let mut read = self.buffer(count);
        let outcome = match &mut self.bytes {
            Bytes::Plain(bytes) => bytes.take(count).read_to_end(&mut read),
            Bytes::Gzip(reader) => reader.take(count).read_to_end(&mut read),
        };
        self.offset += read.len() as u64;
        outcome.map(|_| read).map_err(|error| self.error(&error))
    }

    /// Returns an empty buffer for `count` bytes, or for as many as the file can hold.
    pub fn buffer(&self, count: u64) -> Vec<u8> {
        Vec::with_capacity(count.min(self.capacity) as usize)
    }

    fn error(&self, error: &std::io::Error) -> DatasetError {
        let file = self.file.to_owned();
        let after = error.get_ref().and_then(|cause| cause.downcast_ref());
        if let Some(&BytesAfterGzip { count }) = after {
            return DatasetError::BytesAfterGzip { file, count };
        }
        DatasetError::BadGzip {
            file,
            offset: self.offset,
            reason: match error.kind() {
                ErrorKind::UnexpectedEof => "the end of the file".to_owned(),
                _ => format!("damaged data ({error})"),
            },
        }
    }
}
