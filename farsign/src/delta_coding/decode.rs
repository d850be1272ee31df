//! Decoding of differences.

use super::block::PairBlock;
use super::bytes::Reader;
use super::rans::{DecoderTables, RansDecoder};
use super::table::FrequencyTable;
use super::{BLOCK, DeltaError, MAX_TABLES};
use crate::simd::dispatch;

/// Decodes `bytes` into `out`, `[d]`.
///
/// Decoding takes time proportional to `d` and at most 256 KiB of memory, whatever the bytes are.
///
/// # Errors
///
/// Returns an error if the bytes are not a whole encoding of `d` differences. Part of `out` is overwritten then.
pub fn decode(bytes: &[u8], out: &mut [i32]) -> Result<(), DeltaError> {
    dispatch(
        #[inline(always)]
        || decode_blocks(bytes, out),
    )
}

#[inline(always)]
fn decode_blocks(bytes: &[u8], out: &mut [i32]) -> Result<(), DeltaError> {
    let mut reader = Reader::new(bytes);
    let tables = read_tables(&mut reader)?;
    let table_of_block = read_partition(&mut reader, out.len().div_ceil(BLOCK), tables.len())?;
    if tables.is_empty() {
        out.fill(0);
        return reader.end();
    }
    let slots = DecoderTables::new(&tables);
    let mut rans = RansDecoder::read(&mut reader)?;
    for (values, table) in out.chunks_mut(BLOCK).zip(table_of_block) {
        if let Some(table) = usize::from(table).checked_sub(1) {
            let mut pairs = PairBlock::of_length(values.len());
            rans.decode(slots.get(table), pairs.get_mut())?;
            pairs.values(&tables[table], &mut reader, values)?;
        } else {
            values.fill(0);
        }
    }
    rans.end()?;
    reader.end()
}

fn read_tables(reader: &mut Reader<'_>) -> Result<Vec<FrequencyTable>, DeltaError> {
    let count = reader.byte()?;
    if usize::from(count) > MAX_TABLES {
        return Err(DeltaError::TableCount { found: count });
    }
    (0..count).map(|_| FrequencyTable::read(reader)).collect()
}

/// Reads the table of each block, which is one of `tables`, or 0.
fn read_partition<'a>(
    reader: &mut Reader<'a>,
    blocks: usize,
    tables: usize,
) -> Result<impl Iterator<Item = u8> + 'a, DeltaError> {
    let bytes = reader.take(blocks.div_ceil(2))?;
    let table_of_block = bytes.iter().flat_map(|byte| [byte & 15, byte >> 4]);
    if let Some(found) = table_of_block
        .clone()
        .skip(blocks)
        .find(|spare| *spare != 0)
    {
        return Err(DeltaError::Spare { found });
    }
    if let Some(found) = table_of_block
        .clone()
        .find(|table| usize::from(*table) > tables)
    {
        return Err(DeltaError::Table { tables, found });
    }
    Ok(table_of_block)
}
