//! `farsign serve --data`: what the log says about the data, and settings of saved runs.
#![cfg(unix)]

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use farsign_server::data::loader::FILE_NAMES;

use crate::farsign::{expect_failure, farsign};
use crate::saved_run::{self, start_and_stop};

/// Returns images of 2 x 2 pixels, one for each label, and the labels.
fn pair(labels: &[u8]) -> [Vec<u8>; 2] {
    let count = labels.len() as u8;
    let header = |rank| vec![0, 0, 8, rank, 0, 0, 0, count];
    let mut images = header(3);
    images.extend([0, 0, 0, 2, 0, 0, 0, 2]);
    images.extend((0..4 * count).collect::<Vec<u8>>());
    let mut file = header(1);
    file.extend(labels);
    [images, file]
}

fn write_dataset(folder: &Path, prefix: &str, labels: &[u8]) {
    let [images, labels] = pair(labels);
    for (index, name) in FILE_NAMES.iter().enumerate() {
        let content = if index % 2 == 0 { &images } else { &labels };
        fs::write(folder.join(format!("{prefix}{name}")), content).unwrap();
    }
}

fn serve(data: &Path, arguments: &[&str]) -> Command {
    let mut command = farsign(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--model",
        "softmax",
        "--data",
    ]);
    command.arg(data).args(arguments);
    command
}

#[test]
fn emnist_names_suggest_pixel_order() {
    let folder = tempfile::tempdir().unwrap();
    write_dataset(folder.path(), "emnist-digits-", &[0, 1, 2]);
    let output = start_and_stop(&mut serve(folder.path(), &[]));
    assert!(output.contains("on emnist-digits, 6 images"), "{output}");
    assert!(
        output.contains("pixel_order_not_set") && output.contains("--pixel-order columns"),
        "{output}"
    );
    for order in ["columns", "rows"] {
        let output = start_and_stop(&mut serve(folder.path(), &["--pixel-order", order]));
        assert!(!output.contains("pixel_order_not_set"), "{output}");
    }
}

#[test]
fn unused_classes_are_logged() {
    let folder = tempfile::tempdir().unwrap();
    write_dataset(folder.path(), "", &[1, 2, 3]);
    let output = start_and_stop(&mut serve(folder.path(), &[]));
    assert!(
        output.contains("data_noted") && output.contains("The training labels run from 1 to 3"),
        "{output}"
    );
}

#[test]
fn worker_memory_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    write_dataset(folder.path(), "", &[0, 1]);
    let output =
        start_and_stop(serve(folder.path(), &["--log-format", "json"]).env("FARSIGN_LOG", "info"));
    let event = output
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find(|event| event["event"] == "data_loaded")
        .unwrap_or_else(|| panic!("no data_loaded in {output}"));
    // Two images of four pixels, and as much again while they are unpacked.
    assert_eq!(event["worker_memory_bytes"], 2 * 2 * (4 + 1));
}

#[test]
fn pixel_order_is_pinned() {
    let folder = tempfile::tempdir().unwrap();
    write_dataset(folder.path(), "", &[0, 1, 2]);
    let state = folder.path().join("state");
    let data = folder.path().to_str().unwrap();
    let serve = |arguments: &[&str]| {
        saved_run::serve(&state, &[&["--model", "softmax"], arguments].concat())
    };
    start_and_stop(&mut serve(&["--data", data, "--pixel-order", "columns"]));
    let output = start_and_stop(&mut serve(&[]));
    assert!(output.contains("Training softmax 4-3 on "), "{output}");
    let stderr = expect_failure(&mut serve(&["--pixel-order", "rows"]));
    assert!(
        stderr
            .contains("pixel-order: expected \"columns\", as the saved run has it, found \"rows\""),
        "{stderr}"
    );
}

#[test]
fn built_in_digits_have_one_order() {
    let stderr = expect_failure(&mut farsign(&["serve", "--pixel-order", "columns"]));
    assert!(
        stderr.contains("pixel-order: expected rows for the built-in digits, found columns"),
        "{stderr}"
    );
}

/// The files are sparse: zeros that take no place on the disk.
#[test]
fn large_data_shows_progress() {
    const IMAGES: u32 = 172_000;
    let folder = tempfile::tempdir().unwrap();
    let create = |name: &str, header: &[u8], bytes: u64| -> File {
        let mut file = File::create(folder.path().join(name)).unwrap();
        file.write_all(header).unwrap();
        file.set_len(header.len() as u64 + bytes).unwrap();
        file
    };
    for (index, count) in [(0, IMAGES), (2, 2)] {
        let count_bytes = count.to_be_bytes();
        let images = [&[0, 0, 8, 3], &count_bytes[..], &[0, 0, 0, 28, 0, 0, 0, 28]].concat();
        create(FILE_NAMES[index], &images, u64::from(count) * 784);
        let labels = [&[0, 0, 8, 1], &count_bytes[..]].concat();
        let mut labels = create(FILE_NAMES[index + 1], &labels, u64::from(count));
        labels.seek(SeekFrom::End(-1)).unwrap();
        labels.write_all(&[1]).unwrap();
    }
    let output = start_and_stop(&mut serve(folder.path(), &[]));
    for expected in [
        "large_data",
        "train_images=172000",
        "Reading ",
        "train-images-idx3-ubyte: 0 of 134 MB",
        "Loaded ",
        "large_worker_memory",
    ] {
        assert!(output.contains(expected), "no {expected:?} in {output}");
    }
}
