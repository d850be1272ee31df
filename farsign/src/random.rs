//! The random number generator: SplitMix64, which takes five lines in any client language.
//!
//! Output `i` (from 1) of the stream with seed `s` is `mix(s + i * 0x9e3779b97f4a7c15)` (wrapping), see
//! docs/protocol.md. It is not cryptographic: the server draws seeds that must be unpredictable from a cryptographic
//! generator.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;

/// Difference of the states of two successive values.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of 64-bit values determined by a seed.
#[derive(Clone, Debug)]
pub struct Stream(SplitMix64);

impl Stream {
    /// Creates the stream of `seed`. Every seed is valid, including zero.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    /// Creates the stream of `seed` without its first `skipped` values.
    pub fn after(seed: u64, skipped: u64) -> Self {
        Self::new(seed.wrapping_add(skipped.wrapping_mul(GAMMA)))
    }

    /// Returns the next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a value in `0..bound`: the high half of `bits * bound`. Its bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Returns a value in `[0, 1)` with 24 random bits, exact in `f32`.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 * (1.0 / 16_777_216.0)
    }
}

/// Draws the first `take` entries of a random permutation of `0..count` into `out` (partial Fisher-Yates).
///
/// `out` is resized to `count` and then truncated to `take`, so a reused buffer needs no new allocation.
pub fn permutation_prefix(stream: &mut Stream, count: usize, take: usize, out: &mut Vec<u32>) {
    debug_assert!(take <= count);
    out.clear();
    out.extend(0..count as u32);
    for i in 0..take {
        let j = i + stream.below((count - i) as u64) as usize;
        out.swap(i, j);
    }
    out.truncate(take);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition in docs/protocol.md, written out.
    fn splitmix64_by_definition(seed: u64, i: u64) -> u64 {
        let mut z = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[test]
    fn stream_matches_splitmix64_definition() {
        for seed in [0, 1, 42, u64::MAX] {
            let mut stream = Stream::new(seed);
            for i in 1..=10 {
                assert_eq!(
                    stream.bits(),
                    splitmix64_by_definition(seed, i),
                    "seed {seed}, output {i}"
                );
            }
        }
    }

    #[test]
    fn permutation_prefix_is_distinct_and_complete() {
        let mut out = Vec::new();
        let mut seen = [false; 50];
        for seed in 0..200 {
            permutation_prefix(&mut Stream::new(seed), 50, 7, &mut out);
            let mut sorted = out.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), 7, "seed {seed} repeated an entry");
            out.iter().for_each(|&i| seen[i as usize] = true);
        }
        assert!(seen.iter().all(|&s| s), "some entry is never drawn");
    }
}
