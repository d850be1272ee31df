//! Packing with gzip.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

/// Returns one gzip stream of `bytes`.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing to a Vec succeeds")
}
