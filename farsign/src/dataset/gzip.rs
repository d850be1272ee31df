//! Gzip files as `gunzip` reads them.

use std::fmt;
use std::io::{self, ErrorKind, Read};

use flate2::bufread::GzDecoder;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Returns whether a file begins as gzip files do.
pub fn is_gzip(file: &[u8]) -> bool {
    file.starts_with(&GZIP_MAGIC)
}

/// A reader of all streams of a gzip file. It ignores zero bytes after the last stream, as `gunzip` does: tapes and some
/// downloads pad files with them.
#[derive(Debug)]
pub struct GzipReader<'a> {
    stream: GzDecoder<&'a [u8]>,
    is_finished: bool,
}

/// The error of a gzip file with other bytes than streams and zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BytesAfterGzip {
    /// Number of bytes after the last stream.
    pub count: usize,
}

impl fmt::Display for BytesAfterGzip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} bytes after the end of the gzip data that are neither gzip nor zeros",
            self.count
        )
    }
}

impl std::error::Error for BytesAfterGzip {}

impl<'a> GzipReader<'a> {
    /// Creates a reader of a whole file.
    pub fn new(file: &'a [u8]) -> Self {
        Self {
            stream: GzDecoder::new(file),
            is_finished: false,
        }
    }

    /// Begins the next stream, or finishes.
    fn next_stream(&mut self) -> io::Result<()> {
        let rest = *self.stream.get_ref();
        if is_gzip(rest) {
            self.stream.reset(rest);
            return Ok(());
        }
        self.is_finished = true;
        if rest.iter().all(|byte| *byte == 0) {
            Ok(())
        } else {
            let count = rest.len();
            Err(io::Error::new(
                ErrorKind::InvalidData,
                BytesAfterGzip { count },
            ))
        }
    }
}

impl Read for GzipReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while !self.is_finished {
            match self.stream.read(buffer) {
                Ok(0) => self.next_stream()?,
                Ok(count) => return Ok(count),
                Err(error) => {
                    self.is_finished = true;
                    return Err(error);
                }
            }
        }
        Ok(0)
    }
}
