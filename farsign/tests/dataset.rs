//! Datasets read from IDX files: the good pair, one test for each way to be broken, and arbitrary damage.

#![cfg(not(target_family = "wasm"))]

use std::io::Write;

use farsign::dataset::{Dataset, DatasetError, DatasetParts, IdxFile, IdxPair, MAX_FILE_BYTES};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

const IMAGES_NAME: &str = "train-images-idx3-ubyte";
const LABELS_NAME: &str = "train-labels-idx1-ubyte";

/// The two files of three images of 2 x 2 pixels, written out by hand.
#[derive(Clone)]
struct Files {
    images: Vec<u8>,
    labels: Vec<u8>,
}

impl Files {
    fn good() -> Self {
        let mut images = vec![0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2];
        images.extend([0, 1, 2, 3, 10, 11, 12, 13, 252, 253, 254, 255]);
        Self { images, labels: vec![0, 0, 8, 1, 0, 0, 0, 3, 1, 0, 2] }
    }

    fn gzipped(&self) -> Self {
        Self { images: gzip(&self.images), labels: gzip(&self.labels) }
    }

    fn pair(&self) -> IdxPair<'_> {
        IdxPair {
            images: IdxFile { name: IMAGES_NAME, bytes: &self.images },
            labels: IdxFile { name: LABELS_NAME, bytes: &self.labels },
        }
    }

    fn training(&self) -> Result<Dataset, DatasetError> {
        Dataset::training(self.pair())
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The error of the good pair after `damage`.
fn broken(damage: impl FnOnce(&mut Files)) -> DatasetError {
    let mut files = Files::good();
    damage(&mut files);
    files.training().unwrap_err()
}

fn images_name() -> String {
    IMAGES_NAME.to_owned()
}

fn labels_name() -> String {
    LABELS_NAME.to_owned()
}

#[test]
fn reads_a_pair() {
    let dataset = Files::good().training().unwrap();
    assert_eq!((dataset.len(), dataset.rows(), dataset.cols()), (3, 2, 2));
    assert_eq!((dataset.pixels(), dataset.classes()), (4, 3));
    assert_eq!(dataset.image(0), [0, 1, 2, 3]);
    assert_eq!(dataset.image(2), [252, 253, 254, 255]);
    assert_eq!(dataset.images(), &Files::good().images[16..]);
    assert_eq!((dataset.label(0), dataset.labels()), (1, &[1, 0, 2][..]));
}

#[test]
fn gzipped_and_plain_give_the_same_dataset() {
    let plain = Files::good();
    let gzipped = plain.gzipped();
    let mixed = Files { images: plain.images.clone(), labels: gzipped.labels.clone() };
    assert_eq!(gzipped.training().unwrap(), plain.training().unwrap());
    assert_eq!(mixed.training().unwrap(), plain.training().unwrap());
}

#[test]
fn gzip_in_several_members_is_one_file() {
    let plain = Files::good();
    let (head, tail) = plain.images.split_at(18);
    let files = Files { images: [gzip(head), gzip(tail)].concat(), labels: plain.labels.clone() };
    assert_eq!(files.training().unwrap(), plain.training().unwrap());
}

#[test]
fn writes_the_bytes_it_read() {
    let files = Files::good();
    let dataset = files.training().unwrap();
    assert_eq!(dataset.to_idx_images(), files.images);
    assert_eq!(dataset.to_idx_labels(), files.labels);
}

#[test]
fn the_digest_is_that_of_the_unpacked_files() {
    let files = Files::good();
    let expected: [u8; 32] = Sha256::digest([&files.images[..], &files.labels].concat()).into();
    assert_eq!(files.training().unwrap().digest(), expected);
    assert_eq!(files.gzipped().training().unwrap().digest(), expected);
}

#[test]
fn the_digest_tells_shapes_apart() {
    let mut wide = Files::good();
    wide.images[11] = 1;
    wide.images[15] = 4;
    assert_ne!(wide.training().unwrap().digest(), Files::good().training().unwrap().digest());
}

#[test]
fn parts_make_the_dataset_that_files_make() {
    let files = Files::good();
    let parts = DatasetParts {
        rows: 2,
        cols: 2,
        images: files.images[16..].to_vec(),
        labels: files.labels[8..].to_vec(),
    };
    assert_eq!(Dataset::from_parts(parts).unwrap(), files.training().unwrap());
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let parts = |rows, cols, pixels, labels: &[u8]| {
        Dataset::from_parts(DatasetParts { rows, cols, images: vec![7; pixels], labels: labels.to_vec() })
    };
    assert_eq!(
        parts(2, 2, 7, &[0, 1]),
        Err(DatasetError::PartsMismatch { labels: 2, rows: 2, cols: 2, expected: 8, found: 7 })
    );
    assert!(matches!(parts(usize::MAX, usize::MAX, 4, &[0, 1]), Err(DatasetError::PartsMismatch { .. })));
    assert!(matches!(parts(2, 2, 0, &[]), Err(DatasetError::NoImages { .. })));
    assert!(matches!(parts(0, 2, 0, &[0, 1]), Err(DatasetError::EmptyImages { .. })));
    assert!(matches!(parts(1, 1, 2, &[0, 0]), Err(DatasetError::TooFewClasses { .. })));
}

#[test]
fn all_256_labels_are_classes() {
    let labels: Vec<u8> = (0..=255).collect();
    let dataset =
        Dataset::from_parts(DatasetParts { rows: 1, cols: 1, images: labels.clone(), labels }).unwrap();
    assert_eq!(dataset.classes(), 256);
}

#[test]
fn wrong_magic() {
    let swapped = broken(|files| std::mem::swap(&mut files.images, &mut files.labels));
    assert_eq!(
        swapped,
        DatasetError::WrongMagic {
            file: images_name(),
            content: "IDX images",
            expected: 0x803,
            found: 0x801
        }
    );
    let page = broken(|files| files.labels = b"<!DOCTYPE html>".to_vec());
    assert_eq!(
        page.to_string(),
        "train-labels-idx1-ubyte: expected the magic number 0x00000801 of IDX labels at byte 0, found 0x3c21444f"
    );
}

#[test]
fn truncated_header() {
    assert_eq!(
        broken(|files| files.images.truncate(15)),
        DatasetError::TruncatedHeader { file: images_name(), expected: 16, found: 15 }
    );
    assert_eq!(
        broken(|files| files.labels.clear()),
        DatasetError::TruncatedHeader { file: labels_name(), expected: 8, found: 0 }
    );
}

#[test]
fn truncated_body() {
    let expected = DatasetError::TruncatedBody { file: images_name(), expected: 28, found: 27 };
    assert_eq!(broken(|files| files.images.truncate(27)), expected);
    assert_eq!(broken(|files| files.images = gzip(&files.images[..27])), expected);
}

#[test]
fn trailing_bytes() {
    let expected = DatasetError::TrailingBytes { file: labels_name(), offset: 11 };
    assert_eq!(broken(|files| files.labels.push(0)), expected);
    assert_eq!(broken(|files| files.labels = gzip(&[&files.labels[..], &[0]].concat())), expected);
}

#[test]
fn mismatched_counts() {
    let error = broken(|files| {
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
    let error = broken(|files| {
        files.images[7] = 0;
        files.images.truncate(16);
        files.labels[7] = 0;
        files.labels.truncate(8);
    });
    assert_eq!(error, DatasetError::NoImages { file: images_name() });
}

#[test]
fn empty_images() {
    let error = broken(|files| {
        files.images[15] = 0;
        files.images.truncate(16);
    });
    assert_eq!(error, DatasetError::EmptyImages { file: images_name(), rows: 2, cols: 0 });
}

#[test]
fn too_few_classes() {
    let error = broken(|files| files.labels[8..].fill(0));
    assert_eq!(error, DatasetError::TooFewClasses { file: labels_name() });
}

#[test]
fn bad_gzip() {
    let short = broken(|files| {
        files.images = gzip(&files.images);
        files.images.truncate(files.images.len() - 1);
    });
    assert_eq!(
        short.to_string(),
        "train-images-idx3-ubyte: expected more gzip data after 28 unpacked bytes, found the end of the file"
    );
    let wrong_checksum = broken(|files| {
        files.images = gzip(&files.images);
        let checksum = files.images.len() - 8;
        files.images[checksum] ^= 1;
    });
    assert!(matches!(wrong_checksum, DatasetError::BadGzip { offset: 28, .. }), "{wrong_checksum}");
    let only_magic = broken(|files| files.labels = vec![0x1f, 0x8b]);
    assert!(matches!(only_magic, DatasetError::BadGzip { offset: 0, .. }), "{only_magic}");
    let trailing = broken(|files| files.labels = [&gzip(&files.labels)[..], b"junk"].concat());
    assert!(matches!(trailing, DatasetError::BadGzip { offset: 11, .. }), "{trailing}");
}

#[test]
fn too_large() {
    let absurd = broken(|files| files.images[4..16].fill(0xff));
    let DatasetError::TooLarge { limit: MAX_FILE_BYTES, found: u64::MAX, .. } = absurd else {
        panic!("{absurd}");
    };
    // Eight bytes over: 2^30 labels and their header.
    let labels = broken(|files| files.labels[4..8].copy_from_slice(&(1_u32 << 30).to_be_bytes()));
    assert_eq!(
        labels,
        DatasetError::TooLarge { file: labels_name(), limit: MAX_FILE_BYTES, found: MAX_FILE_BYTES + 8 }
    );
}

/// Under the limit, but far more than there is.
#[test]
fn a_promise_of_half_a_gigabyte_is_not_believed() {
    let promise = |images: &mut Vec<u8>| images[4..8].copy_from_slice(&(1_u32 << 27).to_be_bytes());
    let expected = DatasetError::TruncatedBody { file: images_name(), expected: (1 << 29) + 16, found: 28 };
    assert_eq!(broken(|files| promise(&mut files.images)), expected);
    let gzipped = broken(|files| {
        promise(&mut files.images);
        files.images = gzip(&files.images);
    });
    assert_eq!(gzipped, expected);
}

/// 64 MiB in less than 128 KiB of gzip, behind a header that promises 12 bytes.
#[test]
fn a_gzip_bomb_stops_at_the_promise() {
    let error = broken(|files| {
        files.images.resize(64 << 20, 0);
        files.images = gzip(&files.images);
        assert!(files.images.len() < 128 << 10);
    });
    assert_eq!(error, DatasetError::TrailingBytes { file: images_name(), offset: 28 });
}

#[test]
fn held_out_takes_the_classes_of_the_training_set() {
    let train = Files::good().training().unwrap();
    let mut files = Files::good();
    files.labels[8..].copy_from_slice(&[0, 0, 1]);
    assert_eq!(Dataset::held_out(files.pair(), &train).unwrap().classes(), 3);
    // A single class is fair in a held-out set.
    files.labels[8..].fill(0);
    assert_eq!(Dataset::held_out(files.pair(), &train).unwrap().classes(), 3);
}

#[test]
fn held_out_label_out_of_range() {
    let train = Files::good().training().unwrap();
    let mut files = Files::good();
    files.labels[9] = 3;
    assert_eq!(
        Dataset::held_out(files.pair(), &train),
        Err(DatasetError::LabelOutOfRange { file: labels_name(), offset: 9, classes: 3, found: 3 })
    );
}

#[test]
fn held_out_images_of_another_size() {
    let train = Files::good().training().unwrap();
    let mut files = Files::good();
    files.images[11] = 4;
    files.images[15] = 1;
    assert_eq!(
        Dataset::held_out(files.pair(), &train),
        Err(DatasetError::SizeMismatch {
            file: images_name(),
            expected_rows: 2,
            expected_cols: 2,
            rows: 4,
            cols: 1
        })
    );
}

/// Arrays of a valid dataset of up to 5 images.
fn any_parts() -> impl Strategy<Value = DatasetParts> {
    (1_usize..5, 1_usize..5, 2_usize..6).prop_flat_map(|(rows, cols, count)| {
        let images = prop::collection::vec(any::<u8>(), rows * cols * count);
        let labels = prop::collection::vec(1_u8.., count);
        (images, labels).prop_map(move |(images, labels)| DatasetParts { rows, cols, images, labels })
    })
}

proptest! {
    /// Damage is an error that names a file, or a dataset that keeps its promises; never a panic.
    #[test]
    fn damage_never_panics(
        packed in any::<(bool, bool)>(),
        hits in prop::collection::vec(any::<(bool, prop::sample::Index, u8)>(), 0..4),
        cut in any::<Option<(bool, prop::sample::Index)>>(),
        extra in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let (good, gzipped) = (Files::good(), Files::good().gzipped());
        let mut files = Files {
            images: if packed.0 { gzipped.images } else { good.images.clone() },
            labels: if packed.1 { gzipped.labels } else { good.labels.clone() },
        };
        files.labels.extend(&extra);
        for (in_images, index, value) in hits {
            let file = if in_images { &mut files.images } else { &mut files.labels };
            *index.get_mut(file) = value;
        }
        if let Some((in_images, index)) = cut {
            let file = if in_images { &mut files.images } else { &mut files.labels };
            file.truncate(index.index(file.len()));
        }
        let train = good.training().unwrap();
        for outcome in [files.training(), Dataset::held_out(files.pair(), &train)] {
            match outcome {
                Ok(dataset) => {
                    prop_assert_eq!(dataset.images().len(), dataset.len() * dataset.pixels());
                    prop_assert!(dataset.labels().iter().all(|&label| usize::from(label) < dataset.classes()));
                    prop_assert!(!dataset.image(dataset.len() - 1).is_empty());
                }
                Err(error) => prop_assert!(error.to_string().starts_with("train-"), "{}", error),
            }
        }
    }

    /// Arrays survive the way through the file format.
    #[test]
    fn parts_survive_the_files(parts in any_parts()) {
        let dataset = Dataset::from_parts(parts).unwrap();
        let files = Files { images: dataset.to_idx_images(), labels: dataset.to_idx_labels() };
        prop_assert_eq!(&files.training().unwrap(), &dataset);
        prop_assert_eq!(&files.gzipped().training().unwrap(), &dataset);
    }
}
