//! Recognizes what a file is that has other content than expected.

use std::io::Read;

use farsign::dataset::{ForeignFormat, GzipReader, foreign_format, is_gzip};

/// Number of bytes that are enough to recognize a format.
const HEAD_BYTES: u64 = 512;

/// Recognizes the format of a file, or of the file in it if it is gzipped; `None` if it is unknown.
pub(super) fn unpacked_format(file: &[u8]) -> Option<ForeignFormat> {
    let mut head = Vec::new();
    // If the file is damaged, what comes before the damage is recognized.
    _ = if is_gzip(file) {
        GzipReader::new(file)
            .take(HEAD_BYTES)
            .read_to_end(&mut head)
    } else {
        file.take(HEAD_BYTES).read_to_end(&mut head)
    };
    foreign_format(&head)
}

/// Returns the end of a sentence that names a format, empty for an unknown one.
pub(super) fn of_format(format: Option<&ForeignFormat>) -> String {
    format.map_or(String::new(), |format| format!(", of {}", format.found))
}
