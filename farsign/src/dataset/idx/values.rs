//! The numbers in the body of an IDX file, as bytes.

use crate::dataset::DatasetError;
use crate::dataset::idx::Content;
use crate::dataset::idx::header::{Element, Header};
use crate::dataset::idx::source::Source;

/// Bytes that are converted at a time: a multiple of every item's size.
const CHUNK_BYTES: u64 = 64 * 1024;

/// Reads the body of a file: for images every number, for labels the first of each item. Stops at the end of the file.
pub(super) fn read(
    source: &mut Source<'_>,
    header: &Header,
    content: Content,
) -> Result<Vec<u8>, DatasetError> {
    let body_bytes = header.file_bytes() - header.bytes();
    let columns = header.columns();
    if header.element == Element::U8 && columns == 1 {
        return source.read(body_bytes);
    }
    let stride = columns * header.element.bytes();
    let mut values = source.buffer(body_bytes / stride);
    let mut remaining = body_bytes;
    while remaining > 0 {
        let offset = source.offset;
        let asked = remaining.min(CHUNK_BYTES);
        let chunk = source.read(asked)?;
        for (index, item) in chunk.chunks_exact(stride as usize).enumerate() {
            let value = first(header.element, item);
            values.push(u8::try_from(value).map_err(|_| {
                out_of_range(
                    source.file,
                    content,
                    offset + index as u64 * stride,
                    header.element,
                    value,
                )
            })?);
        }
        if (chunk.len() as u64) < asked {
            break;
        }
        remaining -= asked;
    }
    Ok(values)
}

/// Returns the first number of an item of integers.
fn first(element: Element, item: &[u8]) -> i32 {
    match (element, *item) {
        (Element::I8, [a, ..]) => i32::from(i8::from_be_bytes([a])),
        (Element::I16, [a, b, ..]) => i32::from(i16::from_be_bytes([a, b])),
        (Element::I32, [a, b, c, d, ..]) => i32::from_be_bytes([a, b, c, d]),
        (_, [a, ..]) => i32::from(a),
        (_, []) => 0,
    }
}

fn out_of_range(
    file: &str,
    content: Content,
    offset: u64,
    element: Element,
    found: i32,
) -> DatasetError {
    let file = file.to_owned();
    let swapped = match element {
        Element::I16 => i32::from((found as i16).swap_bytes()),
        _ => found.swap_bytes(),
    };
    if element.bytes() > 1 && u8::try_from(swapped).is_ok() {
        return DatasetError::LittleEndian { file, offset };
    }
    DatasetError::ValueOutOfRange {
        file,
        value: content.value(),
        offset,
        found,
    }
}
