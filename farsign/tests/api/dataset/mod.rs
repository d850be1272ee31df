//! Datasets read from IDX files: a valid pair, one test for each error, other formats, and arbitrary corruption.

mod element_types;
mod errors;
mod foreign_formats;
mod gzip_files;
mod pixel_order;
mod shards;

use std::io::Write;

use farsign::dataset::{Dataset, DatasetError, DatasetParts, IdxFile, IdxPair, MAX_FILE_BYTES};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

const IMAGES_NAME: &str = "train-images-idx3-ubyte";
const LABELS_NAME: &str = "train-labels-idx1-ubyte";

/// The two files of three images of 2 x 2 pixels, written by hand.
#[derive(Clone)]
struct Files {
    images: Vec<u8>,
    labels: Vec<u8>,
}

impl Files {
    fn valid() -> Self {
        let mut images = vec![0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2];
        images.extend([0, 1, 2, 3, 10, 11, 12, 13, 252, 253, 254, 255]);
        Self {
            images,
            labels: vec![0, 0, 8, 1, 0, 0, 0, 3, 1, 0, 2],
        }
    }

    fn gzipped(&self) -> Self {
        Self {
            images: gzip(&self.images),
            labels: gzip(&self.labels),
        }
    }

    fn pair(&self) -> IdxPair<'_> {
        IdxPair {
            images: IdxFile {
                name: IMAGES_NAME,
                bytes: &self.images,
            },
            labels: IdxFile {
                name: LABELS_NAME,
                bytes: &self.labels,
            },
        }
    }

    fn training(&self) -> Result<Dataset, DatasetError> {
        Dataset::training(self.pair())
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The error of the valid pair after `corrupt`.
fn error_of(corrupt: impl FnOnce(&mut Files)) -> DatasetError {
    let mut files = Files::valid();
    corrupt(&mut files);
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
    let dataset = Files::valid().training().unwrap();
    assert_eq!((dataset.len(), dataset.rows(), dataset.cols()), (3, 2, 2));
    assert_eq!((dataset.pixels(), dataset.classes()), (4, 3));
    assert_eq!(dataset.image(0), [0, 1, 2, 3]);
    assert_eq!(dataset.image(2), [252, 253, 254, 255]);
    assert_eq!(dataset.images(), &Files::valid().images[16..]);
    assert_eq!((dataset.label(0), dataset.labels()), (1, &[1, 0, 2][..]));
}

#[test]
fn gzipped_and_plain_files_are_equal() {
    let plain = Files::valid();
    let gzipped = plain.gzipped();
    let mixed = Files {
        images: plain.images.clone(),
        labels: gzipped.labels.clone(),
    };
    assert_eq!(gzipped.training().unwrap(), plain.training().unwrap());
    assert_eq!(mixed.training().unwrap(), plain.training().unwrap());
}

#[test]
fn multi_stream_gzip_is_one_file() {
    let plain = Files::valid();
    let (head, tail) = plain.images.split_at(18);
    let files = Files {
        images: [gzip(head), gzip(tail)].concat(),
        labels: plain.labels.clone(),
    };
    assert_eq!(files.training().unwrap(), plain.training().unwrap());
}

#[test]
fn written_files_equal_read_files() {
    let files = Files::valid();
    let dataset = files.training().unwrap();
    assert_eq!(dataset.to_idx_images(), files.images);
    assert_eq!(dataset.to_idx_labels(), files.labels);
}

#[test]
fn digest_covers_unpacked_files() {
    let files = Files::valid();
    let expected: [u8; 32] = Sha256::digest([&files.images[..], &files.labels].concat()).into();
    assert_eq!(files.training().unwrap().digest(), expected);
    assert_eq!(files.gzipped().training().unwrap().digest(), expected);
}

#[test]
fn digest_depends_on_shape() {
    let mut wide = Files::valid();
    wide.images[11] = 1;
    wide.images[15] = 4;
    assert_ne!(
        wide.training().unwrap().digest(),
        Files::valid().training().unwrap().digest()
    );
}

#[test]
fn parts_equal_files() {
    let files = Files::valid();
    let parts = DatasetParts {
        rows: 2,
        cols: 2,
        images: files.images[16..].to_vec(),
        labels: files.labels[8..].to_vec(),
    };
    assert_eq!(
        Dataset::from_parts(parts).unwrap(),
        files.training().unwrap()
    );
}

#[test]
fn inconsistent_parts_are_rejected() {
    let parts = |rows, cols, pixels, labels: &[u8]| {
        Dataset::from_parts(DatasetParts {
            rows,
            cols,
            images: vec![7; pixels],
            labels: labels.to_vec(),
        })
    };
    assert_eq!(
        parts(2, 2, 7, &[0, 1]),
        Err(DatasetError::PartsMismatch {
            labels: 2,
            rows: 2,
            cols: 2,
            expected: 8,
            found: 7
        })
    );
    assert!(matches!(
        parts(usize::MAX, usize::MAX, 4, &[0, 1]),
        Err(DatasetError::PartsMismatch { .. })
    ));
    assert!(matches!(
        parts(2, 2, 0, &[]),
        Err(DatasetError::NoImages { .. })
    ));
    assert!(matches!(
        parts(0, 2, 0, &[0, 1]),
        Err(DatasetError::EmptyImages { .. })
    ));
    assert!(matches!(
        parts(1, 1, 2, &[0, 0]),
        Err(DatasetError::TooFewClasses { .. })
    ));
}

#[test]
fn all_256_labels_are_classes() {
    let labels: Vec<u8> = (0..=255).collect();
    let dataset = Dataset::from_parts(DatasetParts {
        rows: 1,
        cols: 1,
        images: labels.clone(),
        labels,
    })
    .unwrap();
    assert_eq!(dataset.classes(), 256);
}

#[test]
fn held_out_uses_training_classes() {
    let train = Files::valid().training().unwrap();
    let mut files = Files::valid();
    files.labels[8..].copy_from_slice(&[0, 0, 1]);
    assert_eq!(
        Dataset::held_out(files.pair(), &train).unwrap().classes(),
        3
    );
    // A held-out set may have a single class.
    files.labels[8..].fill(0);
    assert_eq!(
        Dataset::held_out(files.pair(), &train).unwrap().classes(),
        3
    );
}

#[test]
fn held_out_label_range() {
    let train = Files::valid().training().unwrap();
    let mut files = Files::valid();
    files.labels[9] = 3;
    assert_eq!(
        Dataset::held_out(files.pair(), &train),
        Err(DatasetError::LabelOutOfRange {
            file: labels_name(),
            offset: 9,
            classes: 3,
            found: 3
        })
    );
}

#[test]
fn held_out_image_size() {
    let train = Files::valid().training().unwrap();
    let mut files = Files::valid();
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
        (images, labels).prop_map(move |(images, mut labels)| {
            labels[0] = 0; // a second class
            DatasetParts {
                rows,
                cols,
                images,
                labels,
            }
        })
    })
}

proptest! {
    /// Corruption leads to an error that names a file, or to a valid dataset; never to a panic.
    #[test]
    fn corrupt_files_never_panic(
        packed in any::<(bool, bool)>(),
        hits in prop::collection::vec(any::<(bool, prop::sample::Index, u8)>(), 0..4),
        cut in any::<Option<(bool, prop::sample::Index)>>(),
        extra in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let good = Files::valid();
        let gzipped = Files::valid().gzipped();
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

    /// Arrays are unchanged after writing and reading.
    #[test]
    fn parts_round_trip_through_files(parts in any_parts()) {
        let dataset = Dataset::from_parts(parts).unwrap();
        let files = Files { images: dataset.to_idx_images(), labels: dataset.to_idx_labels() };
        prop_assert_eq!(&files.training().unwrap(), &dataset);
        prop_assert_eq!(&files.gzipped().training().unwrap(), &dataset);
    }
}
