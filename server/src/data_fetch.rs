//! `farsign data fetch`: downloads MNIST from the first public mirror that has it, and believes none of them.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::dataset_source::{FILE_NAMES, find, gzip, is_gzip};

/// Tried in this order. The file is judged by its hash, so plain HTTP does for the last.
const MIRRORS: [&str; 3] = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
];

/// Length and SHA-256 of MNIST's files, unpacked, in the order of [`FILE_NAMES`].
const MNIST: [(u64, &str); 4] = [
    (47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    (60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    (7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    (10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
];

/// How much longer than the unpacked file a download may be: gzip adds a header and little else.
const GZIP_OVERHEAD: u64 = 64 * 1024;

/// However slowly it drips, no download takes longer than this.
const WHOLE_DOWNLOAD: Duration = Duration::from_mins(15);

const CHUNK_BYTES: usize = 64 * 1024;

/// What to fetch, from where, to where. [`Default`] is MNIST into `data/mnist`.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Where the files go; made if it is not there.
    pub folder: PathBuf,
    /// Addresses that a file's name is appended to, in the order to try them.
    pub mirrors: Vec<String>,
    /// What to fetch.
    pub files: Vec<ExpectedFile>,
    /// How long to wait for a name's address, and again for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for the next bytes.
    pub stall_timeout: Duration,
    /// Whether to report progress on standard error: a bar on a terminal, lines elsewhere.
    pub progress: bool,
}

/// A file and how to recognise it.
#[derive(Clone, Debug)]
pub struct ExpectedFile {
    /// The name, without `.gz`.
    pub name: String,
    /// Length of the unpacked file.
    pub bytes: u64,
    /// SHA-256 of the unpacked file, in lower-case hexadecimal.
    pub sha256: String,
}

impl Default for FetchOptions {
    fn default() -> Self {
        let file = |(&name, (bytes, sha256)): (&&str, (u64, &str))| ExpectedFile {
            name: name.to_owned(),
            bytes,
            sha256: sha256.to_owned(),
        };
        Self {
            folder: PathBuf::from("data/mnist"),
            mirrors: MIRRORS.map(str::to_owned).into(),
            files: FILE_NAMES.iter().zip(MNIST).map(file).collect(),
            connect_timeout: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(10),
            progress: true,
        }
    }
}

/// What [`fetch`] did. Displays as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchReport {
    /// Where the files are.
    pub folder: PathBuf,
    /// Each file's outcome, in the order of the options.
    pub files: Vec<(String, Outcome)>,
}

/// How a file came to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was there and right.
    AlreadyThere,
    /// It came from this address.
    Downloaded {
        /// The address.
        url: String,
    },
}

impl fmt::Display for FetchReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = self.files.iter().filter(|(_, outcome)| *outcome == Outcome::AlreadyThere).count();
        write!(
            formatter,
            "{}: {} files downloaded and verified, {there} already there",
            self.folder.display(),
            self.files.len() - there
        )
    }
}

/// Why not all files are there.
#[derive(Debug, Error)]
pub enum FetchError {
    /// No mirror gave a file that is the right one.
    #[error("{0}")]
    NoMirror(NoMirror),
    /// The folder cannot be made.
    #[error("could not make the folder {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is there cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("could not write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Every mirror was tried for a file, in vain. Displays as what happened and what to do instead.
#[derive(Debug)]
pub struct NoMirror {
    /// The file, with `.gz`.
    pub file: String,
    /// Each address that was tried, and what was wrong.
    pub attempts: Vec<(String, DownloadError)>,
    folder: PathBuf,
    all_files: Vec<String>,
}

impl fmt::Display for NoMirror {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "no mirror gave {}:", self.file)?;
        for (url, error) in &self.attempts {
            writeln!(formatter, "  {url}: {error}")?;
        }
        writeln!(formatter, "The built-in digits need no download: run `farsign serve` without --data.")?;
        writeln!(formatter, "To use these files, put them into {} by hand:", self.folder.display())?;
        for file in &self.all_files {
            writeln!(formatter, "  {file}.gz")?;
        }
        write!(formatter, "and run `farsign serve --data {}`.", self.folder.display())
    }
}

/// Why a download was not taken.
#[derive(Debug, Error)]
pub enum DownloadError {
    /// There was no answer, or not the file.
    #[error("{0}")]
    Request(Box<ureq::Error>),
    /// The answer broke off.
    #[error("the download broke off after {after} bytes: {source}")]
    BrokeOff {
        /// How much had come.
        after: usize,
        /// Why.
        source: io::Error,
    },
    /// The answer is longer than the file can be.
    #[error("expected at most {limit} bytes, found more")]
    TooLarge {
        /// The most that is taken.
        limit: u64,
    },
    /// The answer is not gzip, or broken gzip.
    #[error("could not unpack the download: {0}")]
    Unpack(io::Error),
    /// The answer is another file.
    #[error("expected SHA-256 {expected} of the unpacked file, found {found}")]
    WrongContent {
        /// The hash of the right file.
        expected: String,
        /// The hash of this one, or of as much of it as the right one is long and one byte more.
        found: String,
    },
}

/// Makes sure that all files are in the folder and right: leaves those that are, downloads the others. Blocks.
///
/// # Errors
/// If a file cannot be had from any mirror, or cannot be written: see [`FetchError`].
pub fn fetch(options: &FetchOptions) -> Result<FetchReport, FetchError> {
    fs::create_dir_all(&options.folder)
        .map_err(|source| FetchError::Folder { folder: options.folder.clone(), source })?;
    let agent = agent(options);
    let mut mirrors = options.mirrors.clone();
    let mut report = FetchReport { folder: options.folder.clone(), files: Vec::new() };
    for file in &options.files {
        let outcome = if is_there(&options.folder, file)? {
            note(options, &format!("{}: already there", file.name));
            Outcome::AlreadyThere
        } else {
            Outcome::Downloaded { url: fetch_file(options, &agent, &mut mirrors, file)? }
        };
        report.files.push((file.name.clone(), outcome));
    }
    Ok(report)
}

fn agent(options: &FetchOptions) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_resolve(Some(options.connect_timeout))
        .timeout_connect(Some(options.connect_timeout))
        .timeout_recv_response(Some(options.stall_timeout))
        .timeout_per_read(Some(options.stall_timeout))
        .timeout_recv_body(Some(WHOLE_DOWNLOAD))
        // The files are gzip already.
        .accept_encoding("identity")
        .user_agent(concat!("farsign/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// Whether the server would load the right file from here.
fn is_there(folder: &Path, file: &ExpectedFile) -> Result<bool, FetchError> {
    let Some(path) = find(folder, &file.name) else { return Ok(false) };
    let mut bytes = Vec::new();
    fs::File::open(&path)
        .and_then(|opened| opened.take(limit(file) + 1).read_to_end(&mut bytes))
        .map_err(|source| FetchError::Read { path, source })?;
    Ok(verify(&bytes, file).is_ok())
}

/// Tries the mirrors in turn, and puts the one that works first for the files to come. The answer is the address.
fn fetch_file(
    options: &FetchOptions,
    agent: &ureq::Agent,
    mirrors: &mut [String],
    file: &ExpectedFile,
) -> Result<String, FetchError> {
    let mut attempts = Vec::new();
    for index in 0..mirrors.len() {
        let url = format!("{}{}.gz", mirrors[index], file.name);
        match download(options, agent, &url, file) {
            Ok(bytes) => {
                let packed = if is_gzip(&bytes) { bytes } else { gzip(&bytes) };
                let path = options.folder.join(format!("{}.gz", file.name));
                write_whole(&path, &packed).map_err(|source| FetchError::Write { path, source })?;
                note(options, &format!("{}: downloaded {} bytes and verified", file.name, packed.len()));
                mirrors.rotate_left(index);
                return Ok(url);
            }
            Err(error) => {
                note(options, &format!("{url}: {error}"));
                attempts.push((url, error));
            }
        }
    }
    Err(FetchError::NoMirror(NoMirror {
        file: format!("{}.gz", file.name),
        attempts,
        folder: options.folder.clone(),
        all_files: options.files.iter().map(|file| file.name.clone()).collect(),
    }))
}

/// The right file, as it came.
fn download(
    options: &FetchOptions,
    agent: &ureq::Agent,
    url: &str,
    file: &ExpectedFile,
) -> Result<Vec<u8>, DownloadError> {
    let mut response = agent.get(url).call().map_err(|error| DownloadError::Request(Box::new(error)))?;
    let body = response.body_mut();
    let bar = progress_bar(options, &file.name, body.content_length());
    let bytes = read_body(body.as_reader(), limit(file), &bar);
    bar.finish_and_clear();
    let bytes = bytes?;
    verify(&bytes, file)?;
    Ok(bytes)
}

fn read_body(mut body: impl Read, limit: u64, bar: &ProgressBar) -> Result<Vec<u8>, DownloadError> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count =
            body.read(&mut chunk).map_err(|source| DownloadError::BrokeOff { after: bytes.len(), source })?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&chunk[..count]);
        if bytes.len() as u64 > limit {
            return Err(DownloadError::TooLarge { limit });
        }
        bar.set_position(bytes.len() as u64);
    }
}

/// The most bytes that a file can come in.
fn limit(file: &ExpectedFile) -> u64 {
    file.bytes + GZIP_OVERHEAD
}

/// Unpacks and hashes in passing; at most one byte more than the right file has.
fn verify(bytes: &[u8], file: &ExpectedFile) -> Result<(), DownloadError> {
    let mut hasher = Hasher(Sha256::new());
    let most = file.bytes + 1;
    if is_gzip(bytes) {
        io::copy(&mut MultiGzDecoder::new(bytes).take(most), &mut hasher)
    } else {
        io::copy(&mut bytes.take(most), &mut hasher)
    }
    .map_err(DownloadError::Unpack)?;
    let found = format!("{:x}", Bytes::copy_from_slice(&hasher.0.finalize()));
    if found == file.sha256 {
        Ok(())
    } else {
        Err(DownloadError::WrongContent { expected: file.sha256.clone(), found })
    }
}

struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Either the whole file is there under its name, or what was there before.
///
/// # Errors
/// When it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let written = fs::File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // The write is what failed; what is left of it may not even be there.
        _ = fs::remove_file(&part);
    }
    written
}

/// Hidden by itself where standard error is not a terminal.
fn progress_bar(options: &FetchOptions, name: &str, length: Option<u64>) -> ProgressBar {
    let target = if options.progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}, {eta} left")
        .expect("the template is valid");
    ProgressBar::with_draw_target(length, target).with_style(style).with_message(name.to_owned())
}

fn note(options: &FetchOptions, line: &str) {
    if options.progress {
        eprintln!("{line}");
    }
}
