//! Other formats that people have where an IDX file is expected, recognized by their first bytes.

use crate::dataset::DatasetError;

/// Number of characters of a text that an error quotes.
const QUOTED_CHARACTERS: usize = 40;

const UNPACK: &str = "unpack it, and use the IDX file in it";
const WRITE_IDX: &str = "write its numbers as IDX files; docs/guide.md has the lines of Python";
const ONE_FILE: &str = "write all images into one IDX file; docs/guide.md has the lines of Python";
const FETCH_AGAIN: &str = "a download returned it in place of the file; open the address in a browser, and download the file again";
const NO_TEXT: &str =
    "an IDX file holds bytes, not text; get the right file, or write it as docs/guide.md shows";

/// A format with the bytes that it has at an offset.
struct Signature {
    offset: usize,
    bytes: &'static [u8],
    found: &'static str,
    advice: &'static str,
}

const fn at(
    offset: usize,
    bytes: &'static [u8],
    found: &'static str,
    advice: &'static str,
) -> Signature {
    Signature {
        offset,
        bytes,
        found,
        advice,
    }
}

/// Formats with a signature. A file within gzip was unpacked once already.
const SIGNATURES: &[Signature] = &[
    at(
        0,
        b"\x1f\x8b",
        "a gzip file inside a gzip file",
        "it was packed twice: unpack it once, with gunzip",
    ),
    at(0, b"PK\x03\x04", "a zip archive", UNPACK),
    at(
        0,
        b"PK\x05\x06",
        "an empty zip archive",
        "download it again",
    ),
    at(0, b"\x93NUMPY", "a NumPy array (.npy)", WRITE_IDX),
    at(
        0,
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, which stands for the file",
        "run `git lfs pull` in its repository",
    ),
    at(
        0,
        b"/annex/objects/",
        "a git-annex pointer, which stands for the file",
        "run `git annex get` in its repository",
    ),
    at(257, b"ustar", "a tar archive", UNPACK),
    at(0, b"\x89PNG\r\n\x1a\n", "a single PNG image", ONE_FILE),
    at(0, b"\xff\xd8\xff", "a single JPEG image", ONE_FILE),
    at(0, b"GIF8", "a single GIF image", ONE_FILE),
    at(0, b"II*\0", "a TIFF image", ONE_FILE),
    at(0, b"MM\0*", "a TIFF image", ONE_FILE),
    at(8, b"WEBP", "a single WebP image", ONE_FILE),
    at(0, b"%PDF-", "a PDF document", FETCH_AGAIN),
    at(0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", WRITE_IDX),
    at(0, b"MATLAB 5.0 MAT-file", "a MATLAB file (.mat)", WRITE_IDX),
    at(0, b"PAR1", "a Parquet file", WRITE_IDX),
    at(0, b"ARROW1", "an Arrow file", WRITE_IDX),
    at(0, b"\x80\x02", "a Python pickle", WRITE_IDX),
    at(0, b"\x80\x03", "a Python pickle", WRITE_IDX),
    at(0, b"\x80\x04\x95", "a Python pickle", WRITE_IDX),
    at(0, b"\x80\x05\x95", "a Python pickle", WRITE_IDX),
    at(0, b"\xfd7zXZ\0", "an xz file", "unpack it, with unxz"),
    at(0, b"BZh", "a bzip2 file", "unpack it, with bunzip2"),
    at(
        0,
        b"\x28\xb5\x2f\xfd",
        "a Zstandard file",
        "unpack it, with unzstd",
    ),
    at(0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    at(0, b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    at(
        0,
        b"\x1f\x9d",
        "a compress file (.Z)",
        "unpack it, with uncompress",
    ),
    at(
        0,
        &[0; 16],
        "zero bytes",
        "an interrupted download or copy left them; get the file again",
    ),
];

/// A recognized format other than IDX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignFormat {
    /// Name of the format with its article, such as "a zip archive".
    pub found: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// Recognizes the format of an unpacked file by its first bytes, of which 512 are enough; `None` if it is unknown.
pub fn foreign_format(head: &[u8]) -> Option<ForeignFormat> {
    let format = |found: &str, advice| {
        Some(ForeignFormat {
            found: found.to_owned(),
            advice,
        })
    };
    if is_numpy_archive(head) {
        return format("a NumPy archive (.npz)", WRITE_IDX);
    }
    let has = |signature: &&Signature| {
        head.get(signature.offset..)
            .is_some_and(|rest| rest.starts_with(signature.bytes))
    };
    if let Some(Signature { found, advice, .. }) = SIGNATURES.iter().find(has) {
        return format(found, advice);
    }
    let text = text(head)?;
    match markup(text) {
        Some(found) => format(found, FETCH_AGAIN),
        None => format(&format!("text that begins with {:?}", quote(text)), NO_TEXT),
    }
}

/// Returns the error of a file that is not IDX. `head` has its first bytes, all of them if it is short.
pub(super) fn error(
    file: String,
    content: &'static str,
    expected: u32,
    head: &[u8],
) -> DatasetError {
    if head.is_empty() {
        return DatasetError::EmptyFile { file, content };
    }
    if let Some(ForeignFormat { found, advice }) = foreign_format(head) {
        return DatasetError::ForeignFile {
            file,
            content,
            found,
            advice,
        };
    }
    match head.first_chunk() {
        Some(magic) => DatasetError::WrongMagic {
            file,
            content,
            expected,
            found: u32::from_be_bytes(*magic),
        },
        None => DatasetError::TruncatedHeader {
            file,
            expected: 4,
            found: head.len() as u64,
        },
    }
}

/// Returns whether a file is a zip archive whose first entry is a NumPy array.
fn is_numpy_archive(head: &[u8]) -> bool {
    let name = || {
        let length = u16::from_le_bytes(*head.get(26..)?.first_chunk()?);
        head.get(30..30 + usize::from(length))
    };
    head.starts_with(b"PK\x03\x04") && name().is_some_and(|name| name.ends_with(b".npy"))
}

/// Returns the text in `head`; `None` if it has other bytes than text. The end may cut a character.
fn text(head: &[u8]) -> Option<&str> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let is_text = |c: char| !c.is_control() || c.is_ascii_whitespace();
    (!text.is_empty() && text.chars().all(is_text)).then_some(text)
}

/// Returns the kind of markup that a text begins with; `None` if it is not markup.
fn markup(text: &str) -> Option<&'static str> {
    let text = text.trim_start().to_ascii_lowercase();
    let starts = |names: &[&str]| names.iter().any(|name| text.starts_with(name));
    if starts(&[
        "<!doctype html",
        "<html",
        "<head",
        "<body",
        "<script",
        "<!--",
        "<meta",
    ]) {
        Some("a web page (HTML)")
    } else if starts(&["<?xml", "<error", "<!doctype"]) {
        Some("an XML document")
    } else if starts(&["{"]) {
        Some("a JSON document")
    } else {
        None
    }
}

fn quote(text: &str) -> String {
    text.trim_start().chars().take(QUOTED_CHARACTERS).collect()
}
