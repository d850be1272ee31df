//! Files in other forms than the one that volunteers download, and datasets with unusual labels.

use std::path::Path;

use farsign::dataset::{Dataset, DatasetParts, PixelOrder};
use farsign_server::data::load_step::{LoadAction, LoadStep};
use farsign_server::data::loader::{self, DataSource, TrainAndHeldOut};

use crate::loader::{as_served, files, gzip, rows, small, write_all};

fn load(folder: &Path, pixel_order: PixelOrder) -> TrainAndHeldOut {
    let source = DataSource {
        folder: Some(folder.to_owned()),
        pixel_order: Some(pixel_order),
    };
    loader::load(&source, &mut |_| {}).unwrap()
}

#[test]
fn padded_gzip_is_served_clean() {
    let folder = tempfile::tempdir().unwrap();
    let padded = files(&small()).map(|file| [&gzip(&file)[..], &[0; 100]].concat());
    write_all(folder.path(), |name| format!("{name}.gz"), &padded);
    let data = load(folder.path(), PixelOrder::Rows);
    assert_eq!(as_served(&data), rows(&small()));
    for served in data.shards.packed() {
        let mut stream = flate2::bufread::GzDecoder::new(&served[..]);
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
        assert!(
            stream.get_ref().is_empty(),
            "one stream, and nothing after it"
        );
    }
}

#[test]
fn wide_integers_are_served_as_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [images, labels, ..] = files(&small());
    let wide = |file: &[u8], header: usize| {
        let numbers = file[header..]
            .iter()
            .flat_map(|&byte| u32::from(byte).to_be_bytes());
        let mut wide: Vec<u8> = file[..header].iter().copied().chain(numbers).collect();
        wide[2] = 0x0c;
        gzip(&wide)
    };
    let (images, labels) = (wide(&images, 16), wide(&labels, 8));
    write_all(
        folder.path(),
        |name| format!("{name}.gz"),
        &[images.clone(), labels.clone(), images, labels],
    );
    let data = load(folder.path(), PixelOrder::Rows);
    assert_eq!(*data.train, small());
    assert_eq!(as_served(&data), rows(&small()));
}

/// Returns two images of 2 x 2 pixels in two classes.
fn square_images(images: Vec<u8>) -> Dataset {
    let parts = DatasetParts {
        rows: 2,
        cols: 2,
        images,
        labels: vec![0, 1],
    };
    Dataset::from_parts(parts).unwrap()
}

/// Volunteers download upright images, and the digest is theirs.
#[test]
fn columns_are_served_upright() {
    let stored = square_images((1..=8).collect());
    let upright = square_images(vec![1, 3, 2, 4, 5, 7, 6, 8]);
    let folder = tempfile::tempdir().unwrap();
    let packed = files(&stored).map(|file| gzip(&file));
    write_all(folder.path(), |name| format!("{name}.gz"), &packed);
    let data = load(folder.path(), PixelOrder::Columns);
    assert_eq!(*data.train, upright);
    assert_eq!(*data.held_out, upright);
    assert_eq!(as_served(&data), rows(&upright));
    assert_eq!(*load(folder.path(), PixelOrder::Rows).train, stored);
}

#[test]
#[ignore = "waits for a description of datasets that states the order of their pixels"]
fn emnist_is_upright_without_settings() {
    let folder = tempfile::tempdir().unwrap();
    let stored = Dataset::from_parts(DatasetParts {
        rows: 2,
        cols: 2,
        images: vec![1, 2, 3, 4, 5, 6, 7, 8],
        labels: vec![0, 1],
    })
    .unwrap();
    let name = |name: &str| format!("emnist-digits-{}", name.replace("t10k", "test"));
    write_all(folder.path(), name, &files(&stored));
    let source = DataSource {
        folder: Some(folder.path().to_owned()),
        pixel_order: None,
    };
    let data = loader::load(&source, &mut |_| {}).unwrap();
    assert_eq!(data.train.image(0), [1, 3, 2, 4]);
}

#[test]
#[ignore = "waits for NumPy archives as training data"]
fn numpy_archive_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("mnist.npz");
    std::fs::write(&archive, b"PK\x03\x04").unwrap();
    let source = DataSource {
        folder: Some(archive),
        pixel_order: None,
    };
    loader::load(&source, &mut |_| {}).unwrap();
}

#[test]
#[ignore = "waits for volunteers that hold only a part of large training data"]
fn worker_memory_is_below_data_size() {
    let data = loader::built_in().unwrap();
    assert!(data.worker_memory_bytes() < data.train.images().len() as u64);
}

#[test]
fn worker_memory_counts_one_more_shard() {
    let data = loader::built_in().unwrap();
    assert_eq!(data.shards.data().list().shards(), 7);
    let largest = 8_500_u64.div_ceil(7);
    assert_eq!(data.worker_memory_bytes(), (8_500 + largest) * 785);
}

#[test]
fn shards_are_packed_once() {
    let data = loader::built_in().unwrap();
    let mut steps = Vec::new();
    data.shards.pack(&mut |step| steps.push(step));
    let (first, last) = (steps.first().unwrap(), steps.last().unwrap());
    assert_eq!((first.done_bytes, last.done_bytes), (0, 8_500 * 784));
    assert_eq!((last.total_bytes, steps.len()), (8_500 * 784, 8));
    let files = data.shards.packed().as_ptr();
    data.clone()
        .shards
        .pack(&mut |step| panic!("packed again: {step}"));
    assert_eq!(data.shards.packed().as_ptr(), files);
    let entries = data.shards.data().list().entries();
    let found = entries
        .iter()
        .map(|entry| data.shards.find(entry.digest).unwrap());
    assert_eq!(found.collect::<Vec<_>>(), data.shards.packed());
    assert_eq!(data.shards.find([0; 32]), None);
}

#[test]
fn classes_without_images_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    let letters = Dataset::from_parts(DatasetParts {
        rows: 1,
        cols: 1,
        images: vec![9; 26],
        labels: (1..=26).collect(),
    })
    .unwrap();
    write_all(folder.path(), str::to_owned, &files(&letters));
    let data = load(folder.path(), PixelOrder::Rows);
    assert_eq!(data.train.classes(), 27);
    assert_eq!(
        data.notes,
        [
            "The training labels run from 1 to 26, so the model has 27 classes, but there are no training images of \
             class 0."
        ]
    );
    assert_eq!(loader::built_in().unwrap().notes, Vec::<String>::new());
}

#[test]
fn single_class_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let [images, mut labels, ..] = files(&small());
    labels[8..].fill(5);
    write_all(
        folder.path(),
        str::to_owned,
        &[images.clone(), labels.clone(), images, labels],
    );
    let error = loader::from_folder(folder.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("expected labels of at least two classes, found only label 5"),
        "{error}"
    );
}

/// The file of training images is damaged too, but its body is never read.
#[test]
fn headers_are_validated_before_bodies() {
    let folder = tempfile::tempdir().unwrap();
    let [mut images, labels, held_out_images, held_out_labels] = files(&small());
    images.resize(1 << 20, 7);
    let mut oversized = held_out_images.clone();
    oversized[4..8].copy_from_slice(&(1_u32 << 30).to_be_bytes());
    let mut other_size = held_out_images.clone();
    other_size[8..16].copy_from_slice(&[0, 0, 0, 3, 0, 0, 0, 1]);
    for (held_out, expected) in [
        (
            oversized,
            "expected at most 1073741824 bytes by the header at byte 4, found 3221225488",
        ),
        (
            other_size,
            "expected 1 rows of 3 columns at byte 8, as in the training set",
        ),
        (
            held_out_labels.clone(),
            "these are labels: are the two files swapped?",
        ),
    ] {
        let set = [
            images.clone(),
            labels.clone(),
            held_out,
            held_out_labels.clone(),
        ];
        write_all(folder.path(), str::to_owned, &set);
        let source = DataSource {
            folder: Some(folder.path().to_owned()),
            pixel_order: None,
        };
        let mut steps = Vec::new();
        let error = loader::load(&source, &mut |step| steps.push(step)).unwrap_err();
        assert!(
            error.to_string().contains(expected),
            "{expected:?} in {error}"
        );
        assert_eq!(steps, [], "{error}");
    }
}

#[test]
fn steps_report_progress() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path(), str::to_owned, &files(&small()));
    let mut steps: Vec<LoadStep> = Vec::new();
    let source = DataSource {
        folder: Some(folder.path().to_owned()),
        pixel_order: None,
    };
    let data = loader::load(&source, &mut |step| steps.push(step)).unwrap();
    data.shards.pack(&mut |step| steps.push(step));
    let actions: Vec<LoadAction> = steps.iter().map(|step| step.action).collect();
    let expected = [
        [LoadAction::Read; 4].as_slice(),
        &[LoadAction::Unpack; 2],
        &[LoadAction::Pack; 2],
    ];
    assert_eq!(actions, expected.concat());
    let step = LoadStep {
        action: LoadAction::Pack,
        file: "training data".to_owned(),
        done_bytes: 120_000_000,
        total_bytes: 547_000_000,
    };
    assert_eq!(
        step.to_string(),
        "Packing training data for volunteers: 120 of 547 MB"
    );
}
