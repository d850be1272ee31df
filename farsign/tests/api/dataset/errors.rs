//! Errors of IDX files and their pairs.

use super::*;

#[test]
fn wrong_magic() {
    let swapped = error_of(|files| std::mem::swap(&mut files.images, &mut files.labels));
    assert_eq!(
        swapped,
        DatasetError::WrongMagic {
            file: images_name(),
            content: "IDX images",
            expected: 0x803,
            found: 0x801
        }
    );
    let page = error_of(|files| files.labels = b"<!DOCTYPE html>".to_vec());
    assert_eq!(
        page.to_string(),
        "train-labels-idx1-ubyte: expected the magic number 0x00000801 of IDX labels at byte 0, found 0x3c21444f"
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
        error_of(|files| files.labels.clear()),
        DatasetError::TruncatedHeader {
            file: labels_name(),
            expected: 8,
            found: 0
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
            file: labels_name()
        }
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
    let trailing = error_of(|files| files.labels = [&gzip(&files.labels)[..], b"junk"].concat());
    assert!(
        matches!(trailing, DatasetError::BadGzip { offset: 11, .. }),
        "{trailing}"
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
    // Eight bytes over: 2^30 labels and their header.
    let labels = error_of(|files| files.labels[4..8].copy_from_slice(&(1_u32 << 30).to_be_bytes()));
    assert_eq!(
        labels,
        DatasetError::TooLarge {
            file: labels_name(),
            limit: MAX_FILE_BYTES,
            found: MAX_FILE_BYTES + 8
        }
    );
}

/// The announced size is below the limit, but far above the actual size.
#[test]
fn announced_size_is_not_allocated() {
    let announce =
        |images: &mut Vec<u8>| images[4..8].copy_from_slice(&(1_u32 << 27).to_be_bytes());
    let expected = DatasetError::TruncatedBody {
        file: images_name(),
        expected: (1 << 29) + 16,
        found: 28,
    };
    assert_eq!(error_of(|files| announce(&mut files.images)), expected);
    let gzipped = error_of(|files| {
        announce(&mut files.images);
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
