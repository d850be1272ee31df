//! Partition of the blocks over tables: blocks with values of similar size share a shift and a table of frequencies.

use super::{BLOCK, MAX_SHIFT, MAX_TABLES};

/// Mean absolute value up to which a block is coded without a larger shift.
const SMALL_MEAN: usize = 2;

/// Absolute value above which a value counts as an outlier, which must not determine the shift of its block.
const OUTLIER: u32 = 15;

/// Largest key of a block without a shift; key `SMALL + s` has shift `s`.
const SMALL: u32 = 12;

/// Blocks for each further table. A table takes about as many bytes as it saves in that many blocks.
const BLOCKS_PER_TABLE: usize = 16;

/// The tables of all blocks.
pub(super) struct Partition {
    /// The table of each block, counted from 1; 0 if all values of the block are 0.
    pub table_of_block: Vec<u8>,
    /// The shift of each table.
    pub shifts: Vec<u32>,
}

impl Partition {
    /// Chooses tables for the blocks of `differences`.
    #[inline(always)]
    pub fn of(differences: &[i32]) -> Self {
        let mut table_of_block: Vec<u8> = Vec::with_capacity(differences.len().div_ceil(BLOCK));
        for block in differences.chunks(BLOCK) {
            table_of_block.push(key(block) as u8);
        }
        let present = table_of_block.iter().fold(0u64, |set, key| set | 1 << key) & !1;
        let max_tables = MAX_TABLES.min(1 + table_of_block.len() / BLOCKS_PER_TABLE);
        let groups = (0..u64::BITS)
            .map(|width| groups(present, width))
            .find(|groups| groups.len() <= max_tables)
            .expect("the widest group contains all keys");
        let mut table_of_key = [0; 64];
        for (table, keys) in (1..).zip(&groups) {
            keys_of(*keys).for_each(|key| table_of_key[key as usize] = table);
        }
        table_of_block
            .iter_mut()
            .for_each(|key| *key = table_of_key[usize::from(*key)]);
        let shift = |keys: &u64| keys.ilog2().saturating_sub(SMALL);
        Self {
            table_of_block,
            shifts: groups.iter().map(shift).collect(),
        }
    }

    /// Writes the table of each block, two in a byte.
    pub fn write(&self, out: &mut Vec<u8>) {
        let byte = |pair: &[u8]| pair[0] | pair.get(1).map_or(0, |table| table << 4);
        out.extend(self.table_of_block.chunks(2).map(byte));
    }
}

/// Returns the keys of a set.
fn keys_of(set: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |key| set >> key & 1 == 1)
}

/// Splits the set of present keys, which are 1 or more, into sets of `2^width` neighbours.
fn groups(present: u64, width: u32) -> Vec<u64> {
    let mut groups = Vec::new();
    let mut last = None;
    for key in keys_of(present) {
        let group = (key - 1) >> width;
        if last != Some(group) {
            groups.push(0);
        }
        last = Some(group);
        *groups.last_mut().expect("a group was pushed") |= 1 << key;
    }
    groups
}

/// Returns the key of a block: 0 if all values are 0, and more for larger values, two per octave of their mean.
#[inline(always)]
fn key(block: &[i32]) -> u32 {
    let mut shift = 0;
    let mut sum = sum_shifted(block, shift);
    while sum > SMALL_MEAN * block.len() && shift < MAX_SHIFT {
        shift += 1;
        sum = sum_shifted(block, shift);
    }
    if shift > 0 {
        SMALL + shift
    } else if sum == 0 {
        0
    } else {
        let mean = (sum * 256 / block.len()).max(12); // times 256; the table of the smallest means is shared
        2 * mean.ilog2() + (mean >> (mean.ilog2() - 1) & 1) as u32 - 6
    }
}

/// Returns the sum of the absolute values, shifted and bounded.
#[inline(always)]
fn sum_shifted(block: &[i32], shift: u32) -> usize {
    let mut sum = 0;
    for value in block {
        sum += (value >> shift).unsigned_abs().min(OUTLIER);
    }
    sum as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_grow_with_values() {
        let keys: Vec<u32> = [0, 1, 2, 3, 5, 9, 1 << 20, i32::MAX]
            .iter()
            .map(|value| key(&[*value; 256]))
            .collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(keys[0], 0);
        assert_eq!(key(&[2; 9]), SMALL);
        assert_eq!(key(&[i32::MIN; 3]), SMALL + MAX_SHIFT);
        let mut sparse = [0; 256];
        sparse[9] = 1;
        assert_eq!(key(&sparse), 1);
        sparse[9] = i32::MIN;
        assert!(key(&sparse) <= SMALL, "an outlier determines no shift");
    }

    #[test]
    fn tables_are_few_and_shared() {
        let mut differences = vec![0; 64 * BLOCK];
        for (n, block) in differences.chunks_mut(BLOCK).enumerate() {
            block.fill((1u32 << (n / 2)).wrapping_sub(1) as i32);
        }
        let partition = Partition::of(&differences);
        assert_eq!(partition.table_of_block[..2], [0, 0]);
        assert!((2..=5).contains(&partition.shifts.len()));
        assert!(partition.shifts.is_sorted());
        let max = partition.table_of_block.iter().max().copied();
        assert_eq!(max.map(usize::from), Some(partition.shifts.len()));
        assert!(Partition::of(&[]).shifts.is_empty());
    }
}
