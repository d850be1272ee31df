//! The Hadamard transform of blocks of coordinates.

/// Entry of the Sylvester-Hadamard matrix: -1 to the number of ones that row and column share.
pub(super) fn sylvester(row: usize, column: usize) -> f32 {
    if (row & column).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 }
}

/// Sizes of the blocks that `d` coordinates are split into: whole blocks, then falling powers of two.
fn block_sizes(block: usize, d: usize) -> impl Iterator<Item = usize> {
    let tail = d % block;
    let falling = (0..usize::BITS).rev().map(|bit| 1 << bit).filter(move |size| tail & size != 0);
    std::iter::repeat_n(block, d / block).chain(falling)
}

/// Start and size of the block that coordinate `i` of `d` lies in.
pub(super) fn block_of(i: usize, block: usize, d: usize) -> (usize, usize) {
    let whole = d - d % block;
    if i < whole {
        return (i - i % block, block);
    }
    let mut start = whole;
    for size in block_sizes(block, d % block) {
        if i < start + size {
            return (start, size);
        }
        start += size;
    }
    unreachable!("coordinate {i} of {d}")
}

/// The orthonormal Hadamard transform of every block, in place.
pub(super) fn transform(v: &mut [f32], block: usize) {
    let (d, mut rest) = (v.len(), v);
    for size in block_sizes(block, d) {
        let (here, after) = rest.split_at_mut(size);
        rest = after;
        let mut half = 1;
        while half < size {
            for pair in here.chunks_exact_mut(2 * half) {
                let (low, high) = pair.split_at_mut(half);
                low.iter_mut().zip(high).for_each(|(a, b)| (*a, *b) = (*a + *b, *a - *b));
            }
            half *= 2;
        }
        let scale = 1.0 / (size as f32).sqrt();
        here.iter_mut().for_each(|v| *v *= scale);
    }
}
