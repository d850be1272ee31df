//! `farsign data fetch`: downloads MNIST from public mirrors, and verifies each file by its hash.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use farsign::dataset::{GzipReader, is_gzip};
use farsign_files::replace;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest, Sha256};
use ureq::Proxy;
use ureq::tls::TlsConfig;

use crate::data::file_search::{FILE_NAMES, find};
use crate::data::gzip::gzip;
use crate::data::unpacked_format::unpacked_format;

pub use crate::data::fetch_error::{AllMirrorsFailed, DownloadError, FetchError};

/// Mirrors in the order of their use. Files are verified by their hash, so plain HTTP suffices.
const MIRRORS: [&str; 3] = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
];

/// Length and SHA-256 of MNIST's uncompressed files, in the order of [`FILE_NAMES`].
const MNIST: [(u64, &str); 4] = [
    (
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    (
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    (
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    (
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
];

/// Bytes by which a download may exceed the uncompressed file: gzip adds a header and little else.
const GZIP_OVERHEAD: u64 = 64 * 1024;

/// Time for a whole download.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_mins(15);

const CHUNK_BYTES: usize = 64 * 1024;

/// Options of a download. The default downloads MNIST into `data/mnist`.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Destination folder, created if missing.
    pub folder: PathBuf,
    /// URLs to which file names are appended, in the order of their use.
    pub mirrors: Vec<String>,
    /// Files to download.
    pub files: Vec<ExpectedFile>,
    /// Timeout of the name resolution, and of the connection.
    pub connect_timeout: Duration,
    /// Timeout of the next bytes.
    pub stall_timeout: Duration,
    /// Whether to replace files of these names with other content.
    pub replace: bool,
    /// Whether to show progress on standard error: a bar on a terminal, lines elsewhere.
    pub progress: bool,
    /// Trusted certificate authorities.
    pub tls: TlsConfig,
    /// Finds the proxy for a URL.
    pub find_proxy: FindProxy,
}

/// A function that returns the proxy for a URL; `None` for a direct connection.
pub type FindProxy = fn(&str) -> Result<Option<Proxy>, Box<dyn Error + Send + Sync>>;

/// A file with its hash.
#[derive(Clone, Debug)]
pub struct ExpectedFile {
    /// Name without `.gz`.
    pub name: String,
    /// Length of the uncompressed file.
    pub bytes: u64,
    /// SHA-256 of the uncompressed file, in lower-case hexadecimal.
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
            replace: false,
            progress: true,
            tls: TlsConfig::default(),
            find_proxy: |_| Ok(None),
        }
    }
}

/// The result of [`fetch`]. Its display text is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchReport {
    /// Folder of the files.
    pub folder: PathBuf,
    /// Names and outcomes, in the order of the options.
    pub files: Vec<(String, FileOutcome)>,
}

/// The outcome of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOutcome {
    /// The file was present and valid.
    AlreadyPresent,
    /// The file was downloaded.
    #[allow(missing_docs)]
    Downloaded { url: String },
}

impl fmt::Display for FetchReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present = self
            .files
            .iter()
            .filter(|(_, outcome)| *outcome == FileOutcome::AlreadyPresent)
            .count();
        write!(
            formatter,
            "{}: {} files downloaded and verified, {present} already present",
            self.folder.display(),
            self.files.len() - present
        )
    }
}

/// Downloads the files that are missing. Blocks the thread.
///
/// # Errors
/// Returns an error if the folder has files of these names with other content that must not be replaced, no mirror
/// provides a file, or a file operation fails.
pub fn fetch(options: &FetchOptions) -> Result<FetchReport, FetchError> {
    fs::create_dir_all(&options.folder).map_err(|source| FetchError::Folder {
        folder: options.folder.clone(),
        source,
    })?;
    let states = options
        .files
        .iter()
        .map(|file| state_of(&options.folder, file))
        .collect::<Result<Vec<_>, _>>()?;
    let others: Vec<PathBuf> = states.iter().filter_map(FileState::others).collect();
    if !options.replace && !others.is_empty() {
        return Err(FetchError::OtherFiles { paths: others });
    }
    let agent = agent(options);
    let mut mirrors = options.mirrors.clone();
    let mut report = FetchReport {
        folder: options.folder.clone(),
        files: Vec::new(),
    };
    for (file, state) in options.files.iter().zip(&states) {
        let outcome = if matches!(state, FileState::Valid) {
            note(options, &format!("{}: already present", file.name));
            FileOutcome::AlreadyPresent
        } else {
            FileOutcome::Downloaded {
                url: fetch_file(options, &agent, &mut mirrors, file)?,
            }
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
        .timeout_recv_body(Some(DOWNLOAD_TIMEOUT))
        // The files are compressed already.
        .accept_encoding("identity")
        .user_agent(concat!("farsign/", env!("CARGO_PKG_VERSION")))
        .tls_config(options.tls.clone())
        .build()
        .into()
}

/// What a folder contains of a file.
enum FileState {
    Missing,
    /// The file that the loader finds is valid.
    Valid,
    /// A file with other content, or no regular file.
    Other(PathBuf),
}

impl FileState {
    fn others(&self) -> Option<PathBuf> {
        match self {
            Self::Other(path) => Some(path.clone()),
            Self::Missing | Self::Valid => None,
        }
    }
}

fn state_of(folder: &Path, file: &ExpectedFile) -> Result<FileState, FetchError> {
    let Some(path) = find(folder, &file.name) else {
        let path = folder.join(format!("{}.gz", file.name));
        return Ok(if path.exists() {
            FileState::Other(path)
        } else {
            FileState::Missing
        });
    };
    let mut bytes = Vec::new();
    let read = fs::File::open(&path)
        .and_then(|opened| opened.take(limit(file) + 1).read_to_end(&mut bytes));
    match read {
        Err(source) => Err(FetchError::Read { path, source }),
        Ok(_) if verify(&bytes, file).is_ok() => Ok(FileState::Valid),
        Ok(_) => Ok(FileState::Other(path)),
    }
}

/// Tries the mirrors in turn, moves the working one to the front, and returns the URL.
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
                replace(&path, &packed).map_err(|source| FetchError::Write { path, source })?;
                note(
                    options,
                    &format!(
                        "{}: downloaded {} bytes and verified",
                        file.name,
                        packed.len()
                    ),
                );
                mirrors.rotate_left(index);
                return Ok(url);
            }
            Err(error) => {
                note(options, &format!("{url}: {error}"));
                attempts.push((url, error));
            }
        }
    }
    Err(FetchError::AllMirrorsFailed(AllMirrorsFailed {
        file: format!("{}.gz", file.name),
        attempts,
        folder: options.folder.clone(),
        all_files: options.files.iter().map(|file| file.name.clone()).collect(),
    }))
}

/// Downloads and verifies a file, and returns it as it was sent.
fn download(
    options: &FetchOptions,
    agent: &ureq::Agent,
    url: &str,
    file: &ExpectedFile,
) -> Result<Vec<u8>, DownloadError> {
    let proxy = (options.find_proxy)(url).map_err(DownloadError::Proxy)?;
    let mut response = agent
        .get(url)
        .config()
        .proxy(proxy)
        .build()
        .call()
        .map_err(|error| DownloadError::Request(Box::new(error)))?;
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
        let count = body
            .read(&mut chunk)
            .map_err(|source| DownloadError::Interrupted {
                after: bytes.len(),
                source,
            })?;
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

/// Returns the largest size of a download.
fn limit(file: &ExpectedFile) -> u64 {
    file.bytes + GZIP_OVERHEAD
}

/// Verifies the hash of a file, reading at most one byte more than expected.
fn verify(bytes: &[u8], file: &ExpectedFile) -> Result<(), DownloadError> {
    let mut hasher = Hasher(Sha256::new());
    let limit = file.bytes + 1;
    if is_gzip(bytes) {
        io::copy(&mut GzipReader::new(bytes).take(limit), &mut hasher)
    } else {
        io::copy(&mut bytes.take(limit), &mut hasher)
    }
    .map_err(DownloadError::Decompress)?;
    let found = format!("{:x}", Bytes::copy_from_slice(&hasher.0.finalize()));
    if found == file.sha256 {
        Ok(())
    } else {
        Err(DownloadError::WrongContent {
            expected: file.sha256.clone(),
            found,
            format: unpacked_format(bytes),
        })
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

/// Creates a progress bar, hidden if standard error is not a terminal.
fn progress_bar(options: &FetchOptions, name: &str, length: Option<u64>) -> ProgressBar {
    let target = if options.progress {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}, {eta} left")
        .expect("the template is valid");
    ProgressBar::with_draw_target(length, target)
        .with_style(style)
        .with_message(name.to_owned())
}

fn note(options: &FetchOptions, line: &str) {
    if options.progress {
        _ = writeln!(io::stderr(), "{line}"); // a download needs no reader
    }
}
