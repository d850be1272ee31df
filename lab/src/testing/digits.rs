//! The built-in digits, for tests.

use farsign::dataset::{Dataset, IdxFile, IdxPair};

/// The training and the held-out digits.
pub fn digits() -> (Dataset, Dataset) {
    let file = |name: &str| {
        let path = format!("{}/../data/mnist-10k/{name}.gz", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let read = |prefix: &str, train: Option<&Dataset>| {
        let (images, labels) =
            (file(&format!("{prefix}-images-idx3-ubyte")), file(&format!("{prefix}-labels-idx1-ubyte")));
        let pair = IdxPair {
            images: IdxFile { name: "images", bytes: &images },
            labels: IdxFile { name: "labels", bytes: &labels },
        };
        match train {
            None => Dataset::training(pair).unwrap(),
            Some(train) => Dataset::held_out(pair, train).unwrap(),
        }
    };
    let train = read("train", None);
    let test = read("t10k", Some(&train));
    (train, test)
}
