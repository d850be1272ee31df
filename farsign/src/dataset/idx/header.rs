//! Headers of IDX files, of every type and number of dimensions.

use std::fmt;

use crate::dataset::DatasetError;
use crate::dataset::foreign;
use crate::dataset::idx::source::Source;
use crate::dataset::idx::{Content, MAX_FILE_BYTES};

/// Number of bytes that are enough to recognize another format.
const SNIFF_BYTES: u64 = 512;

/// A type of the numbers in an IDX file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Element {
    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0b => Self::I16,
            0x0c => Self::I32,
            0x0d => Self::F32,
            0x0e => Self::F64,
            _ => return None,
        })
    }

    /// Returns the size of a number in bytes.
    pub fn bytes(self) -> u64 {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::U8 => "unsigned bytes",
            Self::I8 => "signed bytes",
            Self::I16 => "16-bit integers",
            Self::I32 => "32-bit integers",
            Self::F32 => "32-bit floats",
            Self::F64 => "64-bit floats",
        })
    }
}

/// A header whose type and dimensions suit its content.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub element: Element,
    /// Dimensions, with the number of items first.
    pub dims: Vec<u32>,
}

impl Header {
    /// Reads a header, and validates it for its content.
    pub fn read(source: &mut Source<'_>, content: Content) -> Result<Self, DatasetError> {
        let mut head = source.read(4)?;
        let Some((element, rank)) = magic(&head) else {
            if head.len() == 4 {
                // What follows only improves the error.
                head.extend(source.read(SNIFF_BYTES - 4).unwrap_or_default());
            }
            return Err(foreign_file(source.file, content, &head));
        };
        let words = source.read(4 * u64::from(rank))?;
        let expected = 4 + 4 * u64::from(rank);
        if source.offset < expected {
            return Err(DatasetError::TruncatedHeader {
                file: source.file.to_owned(),
                expected,
                found: source.offset,
            });
        }
        let (words, _) = words.as_chunks::<4>();
        let header = Self {
            element,
            dims: words.iter().map(|word| u32::from_be_bytes(*word)).collect(),
        };
        header.validate(source.file, content)?;
        Ok(header)
    }

    /// Returns the size of the header.
    pub fn bytes(&self) -> u64 {
        4 + 4 * self.dims.len() as u64
    }

    /// Returns the size of the whole file, saturated at `u64::MAX`.
    pub fn file_bytes(&self) -> u64 {
        file_bytes(self.element, self.dims.iter().copied())
    }

    /// Returns the size that the whole file would have if the dimensions were little-endian.
    fn little_endian_file_bytes(&self) -> u64 {
        file_bytes(self.element, self.dims.iter().map(|dim| dim.swap_bytes()))
    }

    /// Returns how many numbers describe an item of labels: 1, or QMNIST's 8.
    pub fn columns(&self) -> u64 {
        match self.dims[..] {
            [_, columns] => u64::from(columns),
            _ => 1,
        }
    }

    fn validate(&self, file: &str, content: Content) -> Result<(), DatasetError> {
        if !self.suits(content) {
            return Err(DatasetError::WrongDimensions {
                file: file.to_owned(),
                content: content.name(),
                expected: content.dimensions(),
                found: format!("{} {}", self.dimensions(), self.element),
                advice: self.dimensions_advice(content),
            });
        }
        if self.element.is_float() {
            return Err(DatasetError::WrongType {
                file: file.to_owned(),
                content: content.name(),
                found: self.element.to_string(),
            });
        }
        let found = self.file_bytes();
        if found <= MAX_FILE_BYTES {
            return Ok(());
        }
        // A small number in little-endian order looks like one of at least 16 million.
        let swapped = self.little_endian_file_bytes();
        if swapped > self.bytes() && swapped <= MAX_FILE_BYTES {
            return Err(DatasetError::LittleEndian {
                file: file.to_owned(),
                offset: 4,
            });
        }
        Err(DatasetError::TooLarge {
            file: file.to_owned(),
            limit: MAX_FILE_BYTES,
            found,
        })
    }

    fn suits(&self, content: Content) -> bool {
        match (content, &self.dims[..]) {
            (Content::Images, [_, _, _]) | (Content::Labels, [_]) => true,
            // QMNIST: class, writer's series, writer, and further columns.
            (Content::Labels, [_, 8]) => self.element == Element::I32,
            _ => false,
        }
    }

    /// Describes the dimensions, such as "3 dimensions (4 x 2 x 2) of".
    fn dimensions(&self) -> String {
        let sizes: Vec<String> = self.dims.iter().map(u32::to_string).collect();
        let plural = if sizes.len() == 1 { "" } else { "s" };
        format!(
            "{} dimension{plural} ({}) of",
            sizes.len(),
            sizes.join(" x ")
        )
    }

    fn dimensions_advice(&self, content: Content) -> &'static str {
        match (content, self.dims.len()) {
            (Content::Images, 1) => "these are labels: are the two files swapped?",
            (Content::Labels, 3) => "these are images: are the two files swapped?",
            (Content::Images, 2) => {
                "write images of one row each with three dimensions: images, 1, pixels"
            }
            (Content::Images, _) => "write one grey value for each pixel",
            (Content::Labels, _) => {
                "write one number for each image: its class, not one column for each class"
            }
        }
    }
}

/// Returns the type and the number of dimensions in a magic number; `None` if it is not one of IDX.
fn magic(head: &[u8]) -> Option<(Element, u8)> {
    match *head {
        [0, 0, code, rank] if rank > 0 => Some((Element::from_code(code)?, rank)),
        _ => None,
    }
}

fn file_bytes(element: Element, dims: impl ExactSizeIterator<Item = u32>) -> u64 {
    let header = 4 + 4 * dims.len() as u64;
    dims.fold(element.bytes(), |product, dim| {
        product.saturating_mul(u64::from(dim))
    })
    .saturating_add(header)
}

/// Returns the error of a file that is not IDX, from its first bytes.
fn foreign_file(file: &str, content: Content, head: &[u8]) -> DatasetError {
    let file = file.to_owned();
    let [rank, code, 0, 0, ..] = *head else {
        return foreign::error(file, content.name(), content.magic(), head);
    };
    if rank > 0 && Element::from_code(code).is_some() {
        return DatasetError::LittleEndian { file, offset: 0 };
    }
    foreign::error(file, content.name(), content.magic(), head)
}
