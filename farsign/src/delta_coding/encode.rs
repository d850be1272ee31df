//! Encoding of differences.

use super::BLOCK;
use super::block::PairBlock;
use super::partition::Partition;
use super::rans::{EncoderTable, RansEncoder};
use super::table::{Counts, FrequencyTable};
use crate::simd::dispatch;

/// Appends the coded differences, `[d]`, to `out`.
pub fn encode(differences: &[i32], out: &mut Vec<u8>) {
    dispatch(
        #[inline(always)]
        || encode_blocks(differences, out),
    );
}

/// A block that is not all zero.
struct Block<'a> {
    table: usize,
    values: &'a [i32],
    pairs: PairBlock,
}

#[inline(always)]
fn encode_blocks(differences: &[i32], out: &mut Vec<u8>) {
    let partition = Partition::of(differences);
    let mut counts = vec![Counts::default(); partition.shifts.len()];
    let mut blocks = Vec::with_capacity(partition.table_of_block.len());
    for (values, table) in differences.chunks(BLOCK).zip(&partition.table_of_block) {
        if let Some(table) = usize::from(*table).checked_sub(1) {
            let shift = partition.shifts[table];
            blocks.push(Block {
                table,
                values,
                pairs: PairBlock::new(values, shift, &mut counts[table]),
            });
        }
    }
    let new_table = |(shift, counts): (&u32, &Counts)| FrequencyTable::new(*shift, counts);
    let tables: Vec<_> = partition
        .shifts
        .iter()
        .zip(&counts)
        .map(new_table)
        .collect();
    out.push(tables.len() as u8);
    tables.iter().for_each(|table| table.write(out));
    partition.write(out);
    if tables.is_empty() {
        return;
    }

    let symbols: Vec<_> = tables.iter().map(EncoderTable::new).collect();
    let mut rans = RansEncoder::default();
    for block in blocks.iter().rev() {
        rans.encode(&symbols[block.table], block.pairs.get());
    }
    rans.write(out);
    for block in &blocks {
        let shift = partition.shifts[block.table];
        block
            .pairs
            .write_extras(block.values, &symbols[block.table], shift, out);
    }
}
