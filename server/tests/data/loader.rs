//! Built-in digits and IDX folders.

use std::fs;
use std::path::Path;

use farsign::dataset::{Dataset, DatasetParts, ShardedDataset};
use farsign_server::data::loader::{self, FILE_NAMES, TrainAndHeldOut};
use farsign_server::data::source_error::DatasetSourceError;

/// Returns four images of 1 x 3 pixels in two classes.
pub fn small() -> Dataset {
    let parts = DatasetParts {
        rows: 1,
        cols: 3,
        images: (0..12).collect(),
        labels: vec![0, 1, 1, 0],
    };
    Dataset::from_parts(parts).unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns the four uncompressed files of a dataset whose held-out set is its training set.
pub fn files(dataset: &Dataset) -> [Vec<u8>; 4] {
    let images = dataset.to_idx_images();
    let labels = dataset.to_idx_labels();
    [images.clone(), labels.clone(), images, labels]
}

pub fn write_all(folder: &Path, name: impl Fn(&str) -> String, files: &[Vec<u8>; 4]) {
    for (file, content) in FILE_NAMES.iter().zip(files) {
        fs::write(folder.join(name(file)), content).unwrap();
    }
}

/// Returns labels and images of the shards that volunteers download, sorted.
pub fn as_served(data: &TrainAndHeldOut) -> Vec<(u8, Vec<u8>)> {
    let mut downloaded = ShardedDataset::new(data.shards.data().list().clone());
    for file in data.shards.packed() {
        downloaded.push(file).unwrap();
    }
    let view = downloaded.first(downloaded.held()).unwrap();
    let located = (0..view.len()).map(|index| view.locate(index));
    sorted(located.map(|(shard, at)| (shard.label(at), shard.image(at).to_vec())))
}

/// Returns labels and images of a dataset, sorted.
pub fn rows(data: &Dataset) -> Vec<(u8, Vec<u8>)> {
    sorted((0..data.len()).map(|at| (data.label(at), data.image(at).to_vec())))
}

fn sorted(rows: impl Iterator<Item = (u8, Vec<u8>)>) -> Vec<(u8, Vec<u8>)> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    rows
}

#[test]
fn built_in_data_has_10000_digits() {
    let data = loader::built_in().unwrap();
    assert_eq!(data.name, "MNIST, 10,000 digits (built in)");
    assert_eq!((data.train.len(), data.held_out.len()), (8_500, 1_500));
    assert_eq!(
        (data.train.rows(), data.train.cols(), data.train.classes()),
        (28, 28, 10)
    );
    assert_eq!(as_served(&data), rows(&data.train));
}

#[test]
fn built_in_split_is_disjoint_balanced() {
    let data = loader::built_in().unwrap();
    let train: std::collections::HashSet<&[u8]> =
        data.train.images().chunks(data.train.pixels()).collect();
    assert_eq!(train.len(), data.train.len());
    assert!(
        data.held_out
            .images()
            .chunks(data.held_out.pixels())
            .all(|image| !train.contains(image))
    );
    let counts = per_class(&data.train)
        .into_iter()
        .zip(per_class(&data.held_out));
    for (class, (train, held_out)) in counts.enumerate() {
        let expected = f64::from(train + held_out) * 0.15;
        assert!(
            (f64::from(held_out) - expected).abs() < 1.0,
            "class {class}: {held_out} held out, {expected} expected"
        );
    }
}

fn per_class(set: &Dataset) -> [u32; 10] {
    let mut counts = [0; 10];
    for &label in set.labels() {
        counts[usize::from(label)] += 1;
    }
    counts
}

#[test]
fn uncompressed_files_are_served_gzipped() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path(), str::to_owned, &files(&small()));
    let data = loader::from_folder(folder.path()).unwrap();
    assert_eq!(*data.train, small());
    assert_eq!(*data.held_out, small());
    assert_eq!(as_served(&data), rows(&small()));
    let own_name = folder.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(data.name, format!("{own_name}, 8 images"));
}

#[test]
fn content_decides_over_file_name() {
    let built_in = loader::built_in().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let gzipped = [
        gzip(&built_in.train.to_idx_images()),
        gzip(&built_in.train.to_idx_labels()),
        built_in.held_out.to_idx_images(),
        built_in.held_out.to_idx_labels(),
    ];
    // The last two are not gzipped despite their names: only the content decides.
    write_all(folder.path(), |name| format!("{name}.gz"), &gzipped);
    let data = loader::from_folder(folder.path()).unwrap();
    assert_eq!(data.train, built_in.train);
    assert_eq!(data.shards.data().digest(), built_in.shards.data().digest());
    assert_eq!(data.held_out, built_in.held_out);
}

#[test]
fn dotted_file_names_are_found() {
    let folder = tempfile::tempdir().unwrap();
    write_all(
        folder.path(),
        |name| name.replace("-idx", ".idx"),
        &files(&small()),
    );
    assert_eq!(*loader::from_folder(folder.path()).unwrap().train, small());
}

#[test]
fn missing_files_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("train-labels-idx1-ubyte.gz"),
        small().to_idx_labels(),
    )
    .unwrap();
    let error = loader::from_folder(folder.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "expected four IDX files, .gz or unpacked, in {}, found no train-images-idx3-ubyte, no \
             t10k-images-idx3-ubyte, no t10k-labels-idx1-ubyte; the folder has train-labels-idx1-ubyte.gz; `farsign \
             data fetch` downloads MNIST, and without --data the built-in digits are used",
            folder.path().display()
        )
    );
}

#[test]
fn missing_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let error = loader::from_folder(&nowhere).unwrap_err();
    assert!(
        matches!(error, DatasetSourceError::NoFolder { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains(nowhere.to_str().unwrap()),
        "{error}"
    );
}

#[test]
fn truncated_file_error_names_path() {
    let folder = tempfile::tempdir().unwrap();
    let mut broken = files(&small());
    broken[3].pop();
    write_all(folder.path(), str::to_owned, &broken);
    let error = loader::from_folder(folder.path()).unwrap_err();
    let path = folder.path().join("t10k-labels-idx1-ubyte");
    assert_eq!(
        error.to_string(),
        format!(
            "{}: expected 12 bytes by its header, found the end of the file at byte 11; the file is cut short: get it \
             again",
            path.display()
        )
    );
}
