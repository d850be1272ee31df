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
            let Ok(byte) = u8::try_from(value) else {
                let file = source.file.to_owned();
                let offset = offset + index as u64 * stride;
                return Err(
                    if is_little_endian(header.element, chunk.chunks_exact(stride as usize)) {
                        DatasetError::LittleEndian { file, offset }
                    } else {
                        DatasetError::ValueOutOfRange {
                            file,
                            value: content.value(),
                            offset,
                            found: value,
                        }
                    },
                );
            };
            values.push(byte);
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
    match (element, item) {
        (Element::I8, [a, ..]) => i32::from(i8::from_be_bytes([*a])),
        (Element::I16, [a, b, ..]) => i32::from(i16::from_be_bytes([*a, *b])),
        (Element::I32, [a, b, c, d, ..]) => i32::from_be_bytes([*a, *b, *c, *d]),
        (_, [a, ..]) => i32::from(*a),
        (_, []) => 0,
    }
}

/// Returns whether the first numbers of all items are bytes when they are read in the other order.
fn is_little_endian<'a>(element: Element, mut items: impl Iterator<Item = &'a [u8]>) -> bool {
    let size = element.bytes() as usize;
    size > 1 && items.all(|item| item[1..size].iter().all(|byte| *byte == 0))
}
