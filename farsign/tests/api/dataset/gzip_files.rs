//! Gzip files as `gunzip` reads them: several streams, and zeros at the end.

use std::io::Read;

use farsign::dataset::GzipReader;

use super::*;

fn labels_with(end: &[u8]) -> Result<Dataset, DatasetError> {
    let files = Files::valid();
    Files {
        labels: [&gzip(&files.labels)[..], end].concat(),
        ..files
    }
    .training()
}

#[test]
fn zeros_after_gzip_are_ignored() {
    let expected = Files::valid().training().unwrap();
    for count in [1, 2, 511, 512, 100_000] {
        assert_eq!(labels_with(&vec![0; count]).unwrap(), expected, "{count}");
    }
}

#[test]
fn other_bytes_after_gzip_are_rejected() {
    for (end, count) in [
        (&b"junk"[..], 4),
        (&[0, 0, 1], 3),
        (&[0x1f], 1),
        (
            &[&[0; 512][..], &gzip(b"more")].concat(),
            512 + gzip(b"more").len(),
        ),
    ] {
        let error = labels_with(end).unwrap_err();
        let file = labels_name();
        assert_eq!(
            error,
            DatasetError::BytesAfterGzip { file, count },
            "{end:?}"
        );
    }
    assert_eq!(
        labels_with(b"junk").unwrap_err().to_string(),
        "train-labels-idx1-ubyte: expected the end of the file or zeros after the gzip data, found 4 other bytes; get \
         the file again"
    );
}

#[test]
fn damaged_second_stream_is_rejected() {
    let mut second = gzip(b"");
    second.truncate(second.len() - 1);
    let error = labels_with(&second).unwrap_err();
    assert!(matches!(error, DatasetError::BadGzip { .. }), "{error}");
}

/// Zeros are padding only after gzip: at the end of a plain file they are bytes that its header does not announce.
#[test]
fn zeros_after_plain_file_are_rejected() {
    let error = error_of(|files| files.labels.push(0));
    assert!(
        matches!(error, DatasetError::TrailingBytes { .. }),
        "{error}"
    );
}

proptest! {
    /// The reader returns what was packed, in any number of streams with any number of zeros after them.
    #[test]
    fn streams_with_padding_round_trip(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4),
        zeros in 0_usize..40,
    ) {
        let mut file: Vec<u8> = parts.iter().flat_map(|part| gzip(part)).collect();
        file.resize(file.len() + zeros, 0);
        let mut reader = GzipReader::new(&file);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        prop_assert_eq!(read, parts.concat());
    }

    #[test]
    fn truncated_gzip_never_reads_whole(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cut in any::<prop::sample::Index>(),
    ) {
        let file = gzip(&bytes);
        let mut read = Vec::new();
        let outcome = GzipReader::new(&file[..cut.index(file.len())]).read_to_end(&mut read);
        prop_assert!(outcome.is_err());
    }
}
