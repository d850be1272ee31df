//! `farsign data fetch` against mirrors on this machine: good ones, lying ones, slow ones and none.

mod data_mirror;

use std::fs;
use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use data_mirror::{Mirror, Reply, unreachable_mirror};
use farsign::dataset::{Dataset, DatasetParts};
use farsign_server::data_fetch::{
    DownloadError, ExpectedFile, FetchError, FetchOptions, NoMirror, Outcome, fetch,
};
use farsign_server::dataset_source::{self, FILE_NAMES};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

/// Unpacked files of a small dataset, in the order of `FILE_NAMES`.
fn contents() -> [Vec<u8>; 4] {
    let set = |start: u8| {
        let images = (start..start + 12).collect();
        Dataset::from_parts(DatasetParts { rows: 2, cols: 3, images, labels: vec![0, 1] }).unwrap()
    };
    let (train, held_out) = (set(0), set(100));
    [train.to_idx_images(), train.to_idx_labels(), held_out.to_idx_images(), held_out.to_idx_labels()]
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

/// A mirror that has all four files.
fn good_mirror() -> Mirror {
    Mirror::start(
        FILE_NAMES
            .iter()
            .zip(contents())
            .map(|(name, content)| (format!("/mnist/{name}.gz"), Reply::Ok(gzip(&content)))),
    )
}

/// A mirror that answers each request with this.
fn always(reply: &Reply) -> Mirror {
    Mirror::start(FILE_NAMES.iter().map(|name| (format!("/mnist/{name}.gz"), reply.clone())))
}

/// Fetches from a mirror that always answers with `reply`; what is wrong with that.
fn refusal(reply: &Reply, stall_timeout: Duration) -> DownloadError {
    let folder = tempfile::tempdir().unwrap();
    let mirror = always(reply);
    let options = FetchOptions { stall_timeout, ..options(folder.path(), &[&mirror.url()]) };
    let Err(FetchError::NoMirror(NoMirror { mut attempts, .. })) = fetch(&options) else {
        panic!("expected the mirror to be refused");
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

const PATIENT: Duration = Duration::from_secs(30);

#[test]
fn four_files_arrive_and_load() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("made/on/the/way");
    let mirror = good_mirror();
    let report = fetch(&options(&target, &[&mirror.url()])).unwrap();
    assert_eq!(
        report.to_string(),
        format!("{}: 4 files downloaded and verified, 0 already there", target.display())
    );
    assert_eq!(report.files[0].0, "train-images-idx3-ubyte");
    let mut expected = FILE_NAMES.map(|name| format!("{name}.gz"));
    expected.sort();
    assert_eq!(names_in(&target), expected);
    let data = dataset_source::from_folder(&target).unwrap();
    assert_eq!(data.train.to_idx_images(), contents()[0]);
    assert_eq!(data.held_out.to_idx_labels(), contents()[3]);
}

#[test]
fn right_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mirror = good_mirror();
    let options = options(folder.path(), &[&mirror.url()]);
    fetch(&options).unwrap();
    let again = fetch(&options).unwrap();
    assert!(again.files.iter().all(|(_, outcome)| *outcome == Outcome::AlreadyThere), "{again:?}");
    assert_eq!(mirror.requests().len(), 4);
}

#[test]
fn an_unpacked_file_under_another_name_counts() {
    let folder = tempfile::tempdir().unwrap();
    let [images, ..] = contents();
    fs::write(folder.path().join("train-images.idx3-ubyte"), images).unwrap();
    let mirror = good_mirror();
    let report = fetch(&options(folder.path(), &[&mirror.url()])).unwrap();
    assert_eq!(report.files[0].1, Outcome::AlreadyThere);
    assert_eq!(mirror.requests().len(), 3);
}

#[test]
fn a_wrong_file_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train-images-idx3-ubyte"), b"old and wrong").unwrap();
    fs::write(folder.path().join("train-labels-idx1-ubyte.gz"), b"old and wrong").unwrap();
    let mirror = good_mirror();
    fetch(&options(folder.path(), &[&mirror.url()])).unwrap();
    assert_eq!(mirror.requests().len(), 4);
    let data = dataset_source::from_folder(folder.path()).unwrap();
    assert_eq!(data.train.to_idx_images(), contents()[0]);
    assert_eq!(data.train.to_idx_labels(), contents()[1]);
}

#[test]
fn after_a_wrong_file_comes_the_next_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let (liar, good) = (always(&Reply::Ok(gzip(b"something else"))), good_mirror());
    let report = fetch(&options(folder.path(), &[&liar.url(), &good.url()])).unwrap();
    let url = format!("{}train-images-idx3-ubyte.gz", good.url());
    assert_eq!(report.files[0].1, Outcome::Downloaded { url });
    dataset_source::from_folder(folder.path()).unwrap();
    // The one that works is asked first from then on.
    assert_eq!((liar.requests().len(), good.requests().len()), (1, 4));
}

#[test]
fn after_a_closed_port_comes_the_next_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let good = good_mirror();
    fetch(&options(folder.path(), &[&unreachable_mirror(), &good.url()])).unwrap();
    assert_eq!(good.requests().len(), 4);
}

#[test]
fn a_download_that_came_unpacked_is_packed() {
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
    dataset_source::from_folder(folder.path()).unwrap();
}

#[test]
fn without_a_mirror_the_error_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (closed, empty) = (unreachable_mirror(), Mirror::start([]));
    let error = fetch(&options(folder.path(), &[&closed, &empty.url()])).unwrap_err();
    let FetchError::NoMirror(no_mirror) = &error else { panic!("{error}") };
    assert_eq!(no_mirror.file, "train-images-idx3-ubyte.gz");
    // Both mirrors once: the other three files would fare no better.
    assert_eq!((no_mirror.attempts.len(), empty.requests().len()), (2, 1));
    let text = error.to_string();
    let folder = folder.path().display();
    for expected in [
        format!("no mirror gave train-images-idx3-ubyte.gz:\n  {closed}train-images-idx3-ubyte.gz: "),
        format!("  {}train-images-idx3-ubyte.gz: http status: 404\n", empty.url()),
        "The built-in digits need no download: run `farsign serve` without --data.\n".to_owned(),
        format!(
            "put them into {folder} by hand:\n  train-images-idx3-ubyte.gz\n  train-labels-idx1-ubyte.gz\n"
        ),
        format!(
            "  t10k-images-idx3-ubyte.gz\n  t10k-labels-idx1-ubyte.gz\nand run `farsign serve --data {folder}`."
        ),
    ] {
        assert!(text.contains(&expected), "expected `{expected}` in:\n{text}");
    }
}

#[test]
fn another_file_is_refused() {
    let error = refusal(&Reply::Ok(gzip(b"something else")), PATIENT);
    assert!(matches!(error, DownloadError::WrongContent { .. }), "{error}");
}

/// The right file with a byte more is another file.
#[test]
fn a_longer_file_is_refused() {
    let [mut images, ..] = contents();
    images.push(0);
    let error = refusal(&Reply::Ok(gzip(&images)), PATIENT);
    assert!(matches!(error, DownloadError::WrongContent { .. }), "{error}");
}

#[test]
fn broken_gzip_is_refused() {
    let mut broken = gzip(&contents()[0]);
    broken.truncate(broken.len() / 2);
    let error = refusal(&Reply::Ok(broken), PATIENT);
    assert!(matches!(error, DownloadError::Unpack(_)), "{error}");
}

#[test]
fn a_download_without_end_is_cut_off() {
    let error = refusal(&Reply::Ok(vec![7; 1 << 20]), PATIENT);
    assert!(matches!(error, DownloadError::TooLarge { .. }), "{error}");
}

#[test]
fn a_download_that_breaks_off_is_refused() {
    let error = refusal(&Reply::BreaksOff(gzip(&contents()[0])), PATIENT);
    assert!(matches!(error, DownloadError::BrokeOff { .. }), "{error}");
}

#[test]
fn a_download_that_stalls_is_given_up() {
    // Long enough for the headers to come on a busy machine.
    let error = refusal(&Reply::Stalls(gzip(&contents()[0])), Duration::from_secs(2));
    assert!(matches!(error, DownloadError::BrokeOff { .. }), "{error}");
}

#[test]
fn a_mirror_that_never_answers_is_given_up() {
    let error = refusal(&Reply::Silent, Duration::from_millis(200));
    assert!(matches!(error, DownloadError::Request(_)), "{error}");
}

#[test]
fn a_file_in_the_place_of_the_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::write(&taken, b"").unwrap();
    let error = fetch(&options(&taken, &[])).unwrap_err();
    assert!(matches!(error, FetchError::Folder { .. }), "{error}");
    assert!(error.to_string().contains(taken.to_str().unwrap()), "{error}");
}
