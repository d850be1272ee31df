//! The block-wise Hadamard transform.

use std::ops::{Add, Sub};

use crate::simd::dispatch;

/// Returns an entry of the Sylvester-Hadamard matrix: -1 to the number of ones that row and column share.
pub(super) fn sylvester(row: usize, column: usize) -> f32 {
    if (row & column).count_ones().is_multiple_of(2) {
        1.0
    } else {
        -1.0
    }
}

/// Returns the sizes of the blocks of `d` coordinates: whole blocks, then falling powers of two.
pub(super) fn block_sizes(block: usize, d: usize) -> impl Iterator<Item = usize> {
    let tail = d % block;
    let falling = (0..usize::BITS)
        .rev()
        .map(|bit| 1 << bit)
        .filter(move |size| tail & size != 0);
    std::iter::repeat_n(block, d / block).chain(falling)
}

/// Returns start and size of the block that contains coordinate `i` of `d`.
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

/// Number of values whose first butterflies are computed together.
const LANES: usize = 8;

/// Applies the Hadamard transform without its factor `1 / sqrt(n)` to every block, in place.
///
/// In each stage every value is a sum of the same two, so vectors of any width return the same bits.
pub(super) fn transform<T: Value>(v: &mut [T], block: usize) {
    dispatch(
        #[inline(always)]
        move || for_each_block(v, block, transform_block),
    );
}

/// Multiplies every block by `1 / sqrt(n)`, in place, which makes the transform orthonormal.
pub(super) fn normalize(v: &mut [f32], block: usize) {
    for_each_block(v, block, |v| {
        let scale = 1.0 / (v.len() as f32).sqrt();
        v.iter_mut().for_each(|v| *v *= scale);
    });
}

/// A number that can be transformed.
pub(super) trait Value: Copy + Add<Output = Self> + Sub<Output = Self> {}

impl Value for f32 {}
impl Value for i32 {}

#[inline(always)]
fn for_each_block<T>(v: &mut [T], block: usize, apply: impl Fn(&mut [T])) {
    let d = v.len();
    let mut rest = v;
    for size in block_sizes(block, d) {
        let (here, after) = rest.split_at_mut(size);
        rest = after;
        apply(here);
    }
}

#[inline(always)]
fn transform_block<T: Value>(v: &mut [T]) {
    let mut half = 1;
    if v.len() >= LANES {
        let (chunks, _) = v.as_chunks_mut::<LANES>();
        chunks.iter_mut().for_each(first_stages);
        half = LANES;
    }
    while half < v.len() {
        for pair in v.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            low.iter_mut()
                .zip(high)
                .for_each(|(a, b)| (*a, *b) = (*a + *b, *a - *b));
        }
        half *= 2;
    }
}

/// Applies the stages whose butterflies are narrower than a vector, in registers.
#[inline(always)]
fn first_stages<T: Value>(v: &mut [T; LANES]) {
    for half in [1, 2, 4] {
        let before = *v;
        for i in 0..LANES {
            let other = before[i ^ half];
            v[i] = if i & half == 0 {
                before[i] + other
            } else {
                other - before[i]
            };
        }
    }
}
