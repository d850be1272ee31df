//! Test helpers: the built-in digits and a small scenario.

use farsign::dataset::{Dataset, IdxFile, IdxPair};

use crate::scenario::Scenario;

/// Returns a scenario of a few short runs.
pub fn scenario() -> Scenario {
    Scenario::from_toml(include_str!("../testdata/small.toml"))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the built-in training and held-out digits.
pub fn digits() -> (Dataset, Dataset) {
    let train = read("train", None);
    let test = read("t10k", Some(&train));
    (train, test)
}

fn read(prefix: &str, train: Option<&Dataset>) -> Dataset {
    let images = file(&format!("{prefix}-images-idx3-ubyte"));
    let labels = file(&format!("{prefix}-labels-idx1-ubyte"));
    let pair = IdxPair {
        images: IdxFile {
            name: "images",
            bytes: &images,
        },
        labels: IdxFile {
            name: "labels",
            bytes: &labels,
        },
    };
    let data = match train {
        None => Dataset::training(pair),
        Some(train) => Dataset::held_out(pair, train),
    };
    data.unwrap_or_else(|error| panic!("{prefix}: {error}"))
}

fn file(name: &str) -> Vec<u8> {
    let path = format!("{}/../data/mnist-10k/{name}.gz", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
