//! Names and folders under which people have the four files, and what is named where they lack.

use std::fs;
use std::path::Path;

use farsign::dataset::{Dataset, DatasetParts};
use farsign_server::data::loader::{self, FILE_NAMES};

use crate::loader::{files, small, write_all};

/// Two images in three classes, which differ from `small`.
fn other() -> Dataset {
    Dataset::from_parts(DatasetParts {
        rows: 1,
        cols: 1,
        images: vec![1, 2],
        labels: vec![0, 2],
    })
    .unwrap()
}

fn emnist_name(name: &str) -> String {
    format!("emnist-letters-{}", name.replace("t10k", "test"))
}

fn error(folder: &Path) -> String {
    loader::from_folder(folder).unwrap_err().to_string()
}

#[test]
fn single_prefix_is_loaded() {
    for (name, dataset_name) in [
        (
            emnist_name as fn(&str) -> String,
            "emnist-letters, 8 images",
        ),
        (
            |name: &str| {
                format!(
                    "qmnist-{}",
                    name.replace("t10k", "test")
                        .replace("idx1-ubyte", "idx2-int")
                )
            },
            "qmnist, 8 images",
        ),
        (|name: &str| format!("{name}.gz").to_uppercase(), ""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write_all(folder.path(), name, &files(&small()));
        let data = loader::from_folder(folder.path()).unwrap();
        assert_eq!(*data.train, small());
        assert!(data.name.ends_with(dataset_name), "{}", data.name);
    }
}

#[test]
fn standard_names_come_before_prefixes() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path(), emnist_name, &files(&other()));
    write_all(
        folder.path(),
        |name| name.replace("t10k", "test"),
        &files(&small()),
    );
    assert_eq!(*loader::from_folder(folder.path()).unwrap().train, small());
}

#[test]
fn several_prefixes_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    for set in ["letters", "digits"] {
        write_all(
            folder.path(),
            |name| emnist_name(name).replace("letters", set),
            &files(&small()),
        );
    }
    assert_eq!(
        error(folder.path()),
        format!(
            "expected the four files of one dataset in {}, found those of 2: emnist-digits-, emnist-letters-; put the \
             files of one into a folder of their own",
            folder.path().display()
        )
    );
}

#[test]
fn folders_named_like_files_work() {
    for inner in [str::to_owned as fn(&str) -> String, |name: &str| {
        name.replace("-idx", ".idx")
    }] {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in FILE_NAMES.iter().zip(files(&small())) {
            let outer = folder.path().join(name.replace("-idx", ".idx"));
            fs::create_dir(&outer).unwrap();
            fs::write(outer.join(inner(name)), content).unwrap();
        }
        assert_eq!(*loader::from_folder(folder.path()).unwrap().train, small());
    }
}

#[test]
fn packed_standard_file_is_preferred() {
    let folder = tempfile::tempdir().unwrap();
    write_all(
        folder.path(),
        |name| name.replace("-idx", ".idx"),
        &files(&other()),
    );
    write_all(folder.path(), str::to_owned, &files(&other()));
    write_all(folder.path(), |name| format!("{name}.gz"), &files(&small()));
    assert_eq!(*loader::from_folder(folder.path()).unwrap().train, small());
}

#[test]
fn other_content_is_listed() {
    for (entries, expected) in [
        (&[][..], "; the folder is empty; "),
        (
            &["mnist.npz"],
            "; the folder has mnist.npz; mnist.npz is of another format: docs/guide.md has the lines of Python that \
             write IDX files; ",
        ),
        (
            &["README.md", "archive.zip"],
            "; the folder has README.md, archive.zip; archive.zip must be unpacked first; ",
        ),
        (
            &["train-images-idx3-ubyte.gz.part"],
            "train-images-idx3-ubyte.gz.part is an unfinished download: download it again; ",
        ),
        (&["mnist.pkl.gz"], "; mnist.pkl.gz is of another format: "),
        (&["0.png", "1.png"], "; 0.png is a single image: "),
        (&["a\nb"], "; the folder has a\\nb; "),
        (
            &["01", "02", "03", "04", "05", "06", "07", "08", "09", "10"],
            "; the folder has 01, 02, 03, 04, 05, 06, 07, 08 and 2 more; ",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for entry in entries {
            fs::write(folder.path().join(entry), b"").unwrap();
        }
        let error = error(folder.path());
        assert!(
            error.contains("found no train-images-idx3-ubyte, no train-labels-idx1-ubyte")
                && error.contains(expected),
            "{expected:?} in {error}"
        );
    }
}

/// As git-annex leaves them where the file is not on this machine.
#[cfg(unix)]
#[test]
fn broken_links_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join(FILE_NAMES[0]);
    std::os::unix::fs::symlink(".git/annex/objects/nothing", link).unwrap();
    let error = error(folder.path());
    assert!(
        error.contains("; the folder has train-images-idx3-ubyte (a broken link); "),
        "{error}"
    );
}

#[test]
fn incomplete_set_is_named_with_prefix() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path(), emnist_name, &files(&small()));
    fs::remove_file(folder.path().join(emnist_name(FILE_NAMES[1]))).unwrap();
    let error = error(folder.path());
    assert!(
        error.contains("found no emnist-letters-train-labels-idx1-ubyte; the folder has emnist-letters-test-images"),
        "{error}"
    );
}

#[test]
fn dataset_in_subfolder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("MNIST/raw");
    fs::create_dir_all(&raw).unwrap();
    write_all(&raw, str::to_owned, &files(&small()));
    let error = error(folder.path());
    let expected = format!(
        "; four IDX files are in {0}: use --data {0}; ",
        raw.display()
    );
    assert!(error.contains(&expected), "{expected:?} in {error}");
}

#[test]
fn file_in_folders_place_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path(), str::to_owned, &files(&small()));
    fs::write(folder.path().join("mnist.npz"), b"").unwrap();
    let names_folder = format!(
        "found a file: --data names the folder, {};",
        folder.path().display()
    );
    for (name, expected) in [
        (FILE_NAMES[0], names_folder.as_str()),
        (
            "mnist.npz",
            "found a file that is of another format: docs/guide.md",
        ),
        ("nowhere", "found no folder there;"),
    ] {
        let error = error(&folder.path().join(name));
        assert!(error.contains(expected), "{expected:?} in {error}");
    }
}
