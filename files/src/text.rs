//! Text files in the encodings in which editors and shells save them.
//!
//! A `>` in the PowerShell of Windows writes UTF-16 with a byte order mark, and Notepad can write UTF-8 with one.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Largest text file.
pub const MAX_TEXT_BYTES: u64 = 64 << 20;

const UTF8_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// An error of a text file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ReadTextError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("expected at most {MAX_TEXT_BYTES} bytes of text, found more")]
    TooLarge,
    #[error(transparent)]
    Text(#[from] TextError),
}

impl ReadTextError {
    /// Returns whether there is no file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Bytes that are no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum TextError {
    #[error("expected text in UTF-8 or UTF-16, found UTF-32; save the file as UTF-8")]
    Utf32,
    #[error(
        "expected text in UTF-16, as the file begins, found other bytes; save the file as UTF-8"
    )]
    Utf16,
    /// A byte that UTF-8 does not permit. Line and column count from 1.
    #[error(
        "expected text in UTF-8, found the byte 0x{byte:02x} in line {line}, column {column}; save the file as UTF-8"
    )]
    Utf8 {
        byte: u8,
        line: usize,
        column: usize,
    },
}

/// Reads a text file.
///
/// # Errors
/// Returns an error if the file cannot be read, or is larger than [`MAX_TEXT_BYTES`], or is no text.
pub fn read_text(path: &Path) -> Result<String, ReadTextError> {
    read_text_from(File::open(path)?)
}

/// Reads text to its end.
///
/// # Errors
/// Returns an error if the text cannot be read, or is larger than [`MAX_TEXT_BYTES`], or is no text.
pub fn read_text_from(reader: impl Read) -> Result<String, ReadTextError> {
    let mut bytes = Vec::new();
    reader.take(MAX_TEXT_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_TEXT_BYTES {
        return Err(ReadTextError::TooLarge);
    }
    Ok(decode(bytes)?)
}

/// Decodes text in UTF-8 or UTF-16, with or without a byte order mark.
///
/// # Errors
/// Returns an error if the bytes are no such text.
pub fn decode(bytes: Vec<u8>) -> Result<String, TextError> {
    let utf16 = |unit: fn([u8; 2]) -> u16| decode_utf16(&bytes, unit);
    let mut text = match bytes[..] {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Err(TextError::Utf32),
        // Without a mark, the first character decides: no text has a zero.
        [0xff, 0xfe, ..] | [1..=0xff, 0, ..] => utf16(u16::from_le_bytes)?,
        [0xfe, 0xff, ..] | [0, 1..=0xff, ..] => utf16(u16::from_be_bytes)?,
        _ => String::from_utf8(bytes).map_err(|error| wrong_byte(&error))?,
    };
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

/// Returns text in UTF-16 as UTF-8, and removes a byte order mark. Other bytes stay unchanged.
pub fn to_utf8(mut bytes: Vec<u8>) -> Vec<u8> {
    match bytes[..] {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            decode(bytes.clone()).map_or(bytes, String::into_bytes)
        }
        _ => {
            if bytes.starts_with(&UTF8_MARK) {
                bytes.drain(..UTF8_MARK.len());
            }
            bytes
        }
    }
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, TextError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.ok()
        .filter(|_| rest.is_empty())
        .ok_or(TextError::Utf16)
}

fn wrong_byte(error: &std::string::FromUtf8Error) -> TextError {
    let (valid, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
    let line_start = valid
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |newline| newline + 1);
    TextError::Utf8 {
        byte: rest[0],
        line: valid.split(|byte| *byte == b'\n').count(),
        column: 1 + String::from_utf8_lossy(&valid[line_start..])
            .chars()
            .count(),
    }
}
