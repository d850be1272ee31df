//! `farsign data fetch` with local mirrors: correct, malicious, slow and unreachable ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use farsign::dataset::{Dataset, DatasetParts};
use farsign_server::data::loader::{self, FILE_NAMES};
use farsign_server::data::mnist_download::{
    AllMirrorsFailed, DownloadError, ExpectedFile, FetchError, FetchOptions, FileOutcome, fetch,
};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use crate::mirror::{Mirror, Reply, unreachable_mirror};

/// Returns the uncompressed files of a small dataset, in the order of `FILE_NAMES`.
fn contents() -> [Vec<u8>; 4] {
    let set = |start: u8| {
        let images = (start..start + 12).collect();
        Dataset::from_parts(DatasetParts {
            rows: 2,
            cols: 3,
            images,
            labels: vec![0, 1],
        })
        .unwrap()
    };
    let train = set(0);
    let held_out = set(100);
    [
        train.to_idx_images(),
        train.to_idx_labels(),
        held_out.to_idx_images(),
        held_out.to_idx_labels(),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

fn options(folder: &Path, mirrors: &[&str]) -> FetchOptions {
    let expected = |(&name, content): (&&str, Vec<u8>)| ExpectedFile {
        name: name.to_owned(),
        bytes: content.len() as u64,
        sha256: format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(&content))),
    };
    FetchOptions {
        folder: folder.to_owned(),
        mirrors: mirrors.iter().map(|&mirror| mirror.to_owned()).collect(),
        files: FILE_NAMES.iter().zip(contents()).map(expected).collect(),
        progress: false,
        ..FetchOptions::default()
    }
}

/// Starts a mirror with all four files.
fn good_mirror() -> Mirror {
    Mirror::start(
        FILE_NAMES
            .iter()
            .zip(contents())
            .map(|(name, content)| (format!("/mnist/{name}.gz"), Reply::Ok(gzip(&content)))),
    )
}

/// Starts a mirror with the same response to every request.
fn always(reply: &Reply) -> Mirror {
    Mirror::start(
        FILE_NAMES
            .iter()
            .map(|name| (format!("/mnist/{name}.gz"), reply.clone())),
    )
}

/// Fetches from a mirror that always responds with `reply`, and returns the error.
fn refusal(reply: &Reply, stall_timeout: Duration) -> DownloadError {
    let folder = tempfile::tempdir().unwrap();
    let mirror = always(reply);
    let options = FetchOptions {
        stall_timeout,
        ..options(folder.path(), &[&mirror.url()])
    };
    let Err(FetchError::AllMirrorsFailed(AllMirrorsFailed { mut attempts, .. })) = fetch(&options)
    else {
        panic!("expected the mirror to be rejected");
    };
    assert_eq!(attempts.len(), 1);
    assert_eq!(names_in(folder.path()), Vec::<String>::new());
    attempts.remove(0).1
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const LONG_TIMEOUT: Duration = Duration::from_secs(30);

#[test]
fn fetched_files_load() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("made/on/the/way");
    let mirror = good_mirror();
    let report = fetch(&options(&target, &[&mirror.url()])).unwrap();
    assert_eq!(
        report.to_string(),
        format!(
            "{}: 4 files downloaded and verified, 0 already present",
            target.display()
        )
    );
    assert_eq!(report.files[0].0, "train-images-idx3-ubyte");
    let mut expected = FILE_NAMES.map(|name| format!("{name}.gz"));
    expected.sort();
    assert_eq!(names_in(&target), expected);
    let data = loader::from_folder(&target).unwrap();
    assert_eq!(data.train.to_idx_images(), contents()[0]);
    assert_eq!(data.held_out.to_idx_labels(), contents()[3]);
}

#[test]
fn valid_files_are_not_downloaded() {
    let folder = tempfile::tempdir().unwrap();
    let mirror = good_mirror();
    let options = options(folder.path(), &[&mirror.url()]);
    fetch(&options).unwrap();
    let again = fetch(&options).unwrap();
    assert!(
        again
            .files
            .iter()
            .all(|(_, outcome)| *outcome == FileOutcome::AlreadyPresent),
        "{again:?}"
    );
    assert_eq!(mirror.requests().len(), 4);
}

#[test]
fn dotted_uncompressed_file_is_recognized() {
    let folder = tempfile::tempdir().unwrap();
    let [images, ..] = contents();
    fs::write(folder.path().join("train-images.idx3-ubyte"), images).unwrap();
    let mirror = good_mirror();
    let report = fetch(&options(folder.path(), &[&mirror.url()])).unwrap();
    assert_eq!(report.files[0].1, FileOutcome::AlreadyPresent);
    assert_eq!(mirror.requests().len(), 3);
}

/// Writes two files of other data that have MNIST's names, as those of Fashion-MNIST have.
fn write_other_files(folder: &Path) -> [PathBuf; 2] {
    let paths = ["train-images.idx3-ubyte", "train-labels-idx1-ubyte.gz"];
    let paths = paths.map(|name| folder.join(name));
    paths
        .iter()
        .for_each(|path| fs::write(path, b"other data").unwrap());
    paths
}

#[test]
fn files_of_other_data_stay() {
    let folder = tempfile::tempdir().unwrap();
    let paths = write_other_files(folder.path());
    let mirror = good_mirror();
    let error = fetch(&options(folder.path(), &[&mirror.url()])).unwrap_err();
    for path in paths {
        assert_eq!(fs::read(&path).unwrap(), b"other data");
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
    assert!(matches!(error, FetchError::OtherFiles { .. }), "{error}");
    assert_eq!(names_in(folder.path()).len(), 2);
    assert_eq!(mirror.requests().len(), 0);
}

#[test]
fn other_data_is_replaced_on_request() {
    let folder = tempfile::tempdir().unwrap();
    write_other_files(folder.path());
    let mirror = good_mirror();
    let options = FetchOptions {
        replace: true,
        ..options(folder.path(), &[&mirror.url()])
    };
    fetch(&options).unwrap();
    assert_eq!(mirror.requests().len(), 4);
    let data = loader::from_folder(folder.path()).unwrap();
    assert_eq!(data.train.to_idx_images(), contents()[0]);
    assert_eq!(data.train.to_idx_labels(), contents()[1]);
}

#[test]
fn invalid_download_tries_next_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let malicious = always(&Reply::Ok(gzip(b"something else")));
    let good = good_mirror();
    let report = fetch(&options(folder.path(), &[&malicious.url(), &good.url()])).unwrap();
    let url = format!("{}train-images-idx3-ubyte.gz", good.url());
    assert_eq!(report.files[0].1, FileOutcome::Downloaded { url });
    loader::from_folder(folder.path()).unwrap();
    // Later files are requested from the working mirror first.
    assert_eq!((malicious.requests().len(), good.requests().len()), (1, 4));
}

#[test]
fn closed_port_tries_next_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let good = good_mirror();
    fetch(&options(
        folder.path(),
        &[&unreachable_mirror(), &good.url()],
    ))
    .unwrap();
    assert_eq!(good.requests().len(), 4);
}

#[test]
fn uncompressed_download_is_gzipped() {
    let folder = tempfile::tempdir().unwrap();
    let mirror = Mirror::start(
        FILE_NAMES
            .iter()
            .zip(contents())
            .map(|(name, content)| (format!("/mnist/{name}.gz"), Reply::Ok(content))),
    );
    fetch(&options(folder.path(), &[&mirror.url()])).unwrap();
    let file = fs::read(folder.path().join("train-images-idx3-ubyte.gz")).unwrap();
    assert_eq!(file[..2], [0x1f, 0x8b]);
    loader::from_folder(folder.path()).unwrap();
}

#[test]
fn all_mirrors_failed_error_gives_instructions() {
    let folder = tempfile::tempdir().unwrap();
    let closed = unreachable_mirror();
    let empty = Mirror::start([]);
    let error = fetch(&options(folder.path(), &[&closed, &empty.url()])).unwrap_err();
    let FetchError::AllMirrorsFailed(failed) = &error else {
        panic!("{error}")
    };
    assert_eq!(failed.file, "train-images-idx3-ubyte.gz");
    // Both mirrors are tried once: the other three files would fail too.
    assert_eq!((failed.attempts.len(), empty.requests().len()), (2, 1));
    let text = error.to_string();
    let folder = folder.path().display();
    for expected in [
        format!(
            "no mirror provided train-images-idx3-ubyte.gz:\n  {closed}train-images-idx3-ubyte.gz: "
        ),
        format!(
            "  {}train-images-idx3-ubyte.gz: http status: 404\n",
            empty.url()
        ),
        "The built-in digits need no download: run `farsign serve` without --data.\n".to_owned(),
        format!(
            "put them into {folder} by hand:\n  train-images-idx3-ubyte.gz\n  train-labels-idx1-ubyte.gz\n"
        ),
        format!(
            "  t10k-images-idx3-ubyte.gz\n  t10k-labels-idx1-ubyte.gz\nand run `farsign serve --data {folder}`."
        ),
    ] {
        assert!(
            text.contains(&expected),
            "expected `{expected}` in:\n{text}"
        );
    }
}

#[test]
fn wrong_content_is_rejected() {
    let error = refusal(&Reply::Ok(gzip(b"something else")), LONG_TIMEOUT);
    assert!(
        matches!(error, DownloadError::WrongContent { .. }),
        "{error}"
    );
}

#[test]
fn web_page_is_named() {
    let error = refusal(
        &Reply::Ok(b"<!DOCTYPE html><title>Sign in</title>".to_vec()),
        LONG_TIMEOUT,
    );
    assert!(
        error.to_string().ends_with(", of a web page (HTML)"),
        "{error}"
    );
}

#[test]
fn trailing_byte_is_rejected() {
    let [mut images, ..] = contents();
    images.push(0);
    let error = refusal(&Reply::Ok(gzip(&images)), LONG_TIMEOUT);
    assert!(
        matches!(error, DownloadError::WrongContent { .. }),
        "{error}"
    );
}

#[test]
fn truncated_gzip_is_rejected() {
    let mut broken = gzip(&contents()[0]);
    broken.truncate(broken.len() / 2);
    let error = refusal(&Reply::Ok(broken), LONG_TIMEOUT);
    assert!(matches!(error, DownloadError::Decompress(_)), "{error}");
}

/// As `gunzip` does, and as the loader does.
#[test]
fn zeros_after_gzip_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let padded = |content: &[u8]| [&gzip(content)[..], &[0; 512]].concat();
    let mirror = Mirror::start(
        FILE_NAMES
            .iter()
            .zip(contents())
            .map(|(name, content)| (format!("/mnist/{name}.gz"), Reply::Ok(padded(&content)))),
    );
    let options = options(folder.path(), &[&mirror.url()]);
    fetch(&options).unwrap();
    let data = loader::from_folder(folder.path()).unwrap();
    assert_eq!(data.train.to_idx_images(), contents()[0]);
    let again = fetch(&options).unwrap();
    assert_eq!(again.files[0].1, FileOutcome::AlreadyPresent);
}

#[test]
fn bytes_after_gzip_are_rejected() {
    let error = refusal(
        &Reply::Ok([&gzip(&contents()[0])[..], b"junk"].concat()),
        LONG_TIMEOUT,
    );
    assert_eq!(
        error.to_string(),
        "could not decompress the download: 4 bytes after the end of the gzip data that are neither gzip nor zeros"
    );
}

#[test]
fn oversized_download_is_rejected() {
    let error = refusal(&Reply::Ok(vec![7; 1 << 20]), LONG_TIMEOUT);
    assert!(matches!(error, DownloadError::TooLarge { .. }), "{error}");
}

#[test]
fn interrupted_download_is_rejected() {
    let error = refusal(&Reply::Interrupted(gzip(&contents()[0])), LONG_TIMEOUT);
    assert!(
        matches!(error, DownloadError::Interrupted { .. }),
        "{error}"
    );
}

#[test]
fn stalled_download_times_out() {
    // Long enough for the headers to arrive on a busy machine.
    let error = refusal(&Reply::Stalls(gzip(&contents()[0])), Duration::from_secs(2));
    assert!(
        matches!(error, DownloadError::Interrupted { .. }),
        "{error}"
    );
}

#[test]
fn silent_mirror_times_out() {
    let error = refusal(&Reply::Silent, Duration::from_millis(200));
    assert!(matches!(error, DownloadError::Request(_)), "{error}");
}

#[test]
fn file_instead_of_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::write(&taken, b"").unwrap();
    let error = fetch(&options(&taken, &[])).unwrap_err();
    assert!(matches!(error, FetchError::Folder { .. }), "{error}");
    assert!(
        error.to_string().contains(taken.to_str().unwrap()),
        "{error}"
    );
}
