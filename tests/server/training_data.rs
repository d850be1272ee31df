//! Training data in other forms than the one that volunteers download.

use farsign::dataset::{Dataset, DatasetParts};
use farsign_server::config::settings::{ModelKind, PixelOrderKind, Settings};
use farsign_tests::dataset_folder::write_dataset;
use farsign_tests::test_server::TestServer;
use farsign_volunteer::{Attack, WorkerExit};

fn data(images: Vec<u8>, labels: Vec<u8>) -> Dataset {
    let parts = DatasetParts {
        rows: 2,
        cols: 2,
        images,
        labels,
    };
    Dataset::from_parts(parts).expect("valid data")
}

/// Volunteers verify the digest of what they download.
#[test]
fn volunteers_train_on_upright_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let stored = data((1..=8).collect(), vec![0, 1]);
    write_dataset(folder.path(), &stored, &stored).expect("a write");
    let server = TestServer::start(Settings {
        data: Some(folder.path().to_owned()),
        pixel_order: Some(PixelOrderKind::Columns),
        model: Some(ModelKind::Softmax),
        batch: Some(2),
        horizon: Some(5.0),
        ..Settings::default()
    });
    let upright = data(vec![1, 3, 2, 4, 5, 7, 6, 8], vec![0, 1]);
    assert_eq!(*server.state().data.train, upright);
    let exits = server.train(&[(1, Attack::None)]);
    assert!(
        matches!(exits[..], [WorkerExit::Finished]),
        "expected a finished run, found {exits:?}"
    );
}

#[test]
fn status_notes_unused_classes() {
    let folder = tempfile::tempdir().expect("a folder");
    let letters = data((0..8).collect(), vec![1, 2]);
    write_dataset(folder.path(), &letters, &letters).expect("a write");
    let server = TestServer::start(Settings {
        data: Some(folder.path().to_owned()),
        ..Settings::default()
    });
    let notes = &server.status()["data"]["notes"];
    let note = notes[0].as_str().expect("a sentence");
    assert!(
        note.starts_with("The training labels run from 1 to 2") && note.ends_with("of class 0."),
        "{notes}"
    );
}
