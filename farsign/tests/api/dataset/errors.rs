//! Errors of IDX files and their pairs.

use super::*;

#[test]
fn wrong_magic() {
    let swapped = error_of(|files| std::mem::swap(&mut files.images, &mut files.labels));
    assert_eq!(
        swapped,
        DatasetError::WrongDimensions {
            file: images_name(),
            content: "IDX images",
            expected: "3 dimensions: images, rows, columns",
            found: "1 dimension (3) of unsigned bytes".to_owned(),
            advice: "these are labels: are the two files swapped?",
        }
    );
    let unknown = error_of(|files| files.labels = vec![1, 2, 0xfe, 4, 5]);
    assert_eq!(
        unknown.to_string(),
        "train-labels-idx1-ubyte: expected the magic number 0x00000801 of IDX labels at byte 0, found 0x0102fe04"
    );
}

#[test]
fn truncated_header() {
    assert_eq!(
        error_of(|files| files.images.truncate(15)),
        DatasetError::TruncatedHeader {
            file: images_name(),
            expected: 16,
            found: 15
        }
    );
    assert_eq!(
        error_of(|files| files.labels.truncate(3)),
        DatasetError::TruncatedHeader {
            file: labels_name(),
            expected: 4,
            found: 3
        }
    );
}

#[test]
fn truncated_body() {
    let expected = DatasetError::TruncatedBody {
        file: images_name(),
        expected: 28,
        found: 27,
    };
    assert_eq!(error_of(|files| files.images.truncate(27)), expected);
    assert_eq!(
        error_of(|files| files.images = gzip(&files.images[..27])),
        expected
    );
}

#[test]
fn trailing_bytes() {
    let expected = DatasetError::TrailingBytes {
        file: labels_name(),
        offset: 11,
    };
    assert_eq!(error_of(|files| files.labels.push(0)), expected);
    assert_eq!(
        error_of(|files| files.labels = gzip(&[&files.labels[..], &[0]].concat())),
        expected
    );
}

#[test]
fn mismatched_counts() {
    let error = error_of(|files| {
        files.labels[7] = 2;
        files.labels.pop();
    });
    assert_eq!(
        error,
        DatasetError::CountMismatch {
            images_file: images_name(),
            labels_file: labels_name(),
            images: 3,
            labels: 2
        }
    );
}

#[test]
fn no_images() {
    let error = error_of(|files| {
        files.images[7] = 0;
        files.images.truncate(16);
        files.labels[7] = 0;
        files.labels.truncate(8);
    });
    assert_eq!(
        error,
        DatasetError::NoImages {
            file: images_name()
        }
    );
}

#[test]
fn empty_images() {
    let error = error_of(|files| {
        files.images[15] = 0;
        files.images.truncate(16);
    });
    assert_eq!(
        error,
        DatasetError::EmptyImages {
            file: images_name(),
            rows: 2,
            cols: 0
        }
    );
}

#[test]
fn too_few_classes() {
    let error = error_of(|files| files.labels[8..].fill(0));
    assert_eq!(
        error,
        DatasetError::TooFewClasses {
            file: labels_name(),
            found: 0
        }
    );
    let fives = error_of(|files| files.labels[8..].fill(5));
    assert_eq!(
        fives.to_string(),
        "train-labels-idx1-ubyte: expected labels of at least two classes, found only label 5"
    );
}

#[test]
fn bad_gzip() {
    let short = error_of(|files| {
        files.images = gzip(&files.images);
        files.images.truncate(files.images.len() - 1);
    });
    assert_eq!(
        short.to_string(),
        "train-images-idx3-ubyte: expected more gzip data after 28 unpacked bytes, found the end of the file"
    );
    let wrong_checksum = error_of(|files| {
        files.images = gzip(&files.images);
        let checksum = files.images.len() - 8;
        files.images[checksum] ^= 1;
    });
    assert!(
        matches!(wrong_checksum, DatasetError::BadGzip { offset: 28, .. }),
        "{wrong_checksum}"
    );
    let only_magic = error_of(|files| files.labels = vec![0x1f, 0x8b]);
    assert!(
        matches!(only_magic, DatasetError::BadGzip { offset: 0, .. }),
        "{only_magic}"
    );
    let damaged =
        error_of(|files| files.labels = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\xff\xff\xff".to_vec());
    assert!(
        damaged.to_string().contains("found damaged data"),
        "{damaged}"
    );
}

#[test]
fn too_large() {
    let absurd = error_of(|files| files.images[4..16].fill(0xff));
    let DatasetError::TooLarge {
        limit: MAX_FILE_BYTES,
        found: u64::MAX,
        ..
    } = absurd
    else {
        panic!("{absurd}");
    };
    let labels = error_of(|files| files.labels[4..8].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]));
    assert_eq!(
        labels,
        DatasetError::TooLarge {
            file: labels_name(),
            limit: MAX_FILE_BYTES,
            found: 0x7fff_ffff + 8
        }
    );
}

/// The announced size is below the limit, but far above the actual size.
#[test]
fn announced_size_is_not_allocated() {
    let announce = |files: &mut Files| {
        for file in [&mut files.images, &mut files.labels] {
            file[4..8].copy_from_slice(&(1_u32 << 27).to_be_bytes());
        }
    };
    let expected = DatasetError::TruncatedBody {
        file: images_name(),
        expected: (1 << 29) + 16,
        found: 28,
    };
    assert_eq!(error_of(announce), expected);
    let gzipped = error_of(|files| {
        announce(files);
        files.images = gzip(&files.images);
    });
    assert_eq!(gzipped, expected);
}

/// 64 MiB in less than 128 KiB of gzip, after a header that announces 12 bytes.
#[test]
fn gzip_bomb_stops_at_announced_size() {
    let error = error_of(|files| {
        files.images.resize(64 << 20, 0);
        files.images = gzip(&files.images);
        assert!(files.images.len() < 128 << 10);
    });
    assert_eq!(
        error,
        DatasetError::TrailingBytes {
            file: images_name(),
            offset: 28
        }
    );
}
