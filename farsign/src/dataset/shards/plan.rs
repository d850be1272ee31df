//! The cut of a training set into shards, and their order.

use crate::random::{Stream, permutation_prefix};

/// Size of the pixels of a shard that a cut aims at, in bytes: 1 MiB.
///
/// A shard has fewer, or at most one image more.
pub const SHARD_BYTES: u64 = 1 << 20;

/// A cut of a training set into class-balanced shards, in order.
///
/// Every image is in one shard. The numbers of images of two shards differ by at most one, and so do their numbers of
/// images of each class. All of it follows from integers, so every target cuts the same shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardPlan {
    /// Position of each image in the training set, shard by shard, `[count]`.
    order: Vec<u32>,
    /// Number of images up to the end of each shard, `[shards]`.
    ends: Vec<u32>,
}

impl ShardPlan {
    /// Cuts a training set with these labels, `[count]`, and images of `image_bytes` pixels each.
    ///
    /// The images of each class are shuffled by `seed` and dealt to the shards in turn, and then the shards are
    /// shuffled: a class with fewer images than shards is anywhere in their order.
    ///
    /// # Panics
    ///
    /// Panics if `labels` is empty or has more than `u32::MAX` entries.
    pub fn new(labels: &[u8], image_bytes: usize, seed: u64) -> Self {
        assert!(!labels.is_empty(), "a training set is never empty");
        let count = u32::try_from(labels.len()).expect("the images are counted in 32 bits");
        let shards = shard_count(count.into(), image_bytes as u64);
        let mut stream = Stream::new(seed);
        let mut images = Vec::new();
        permutation_prefix(&mut stream, labels.len(), labels.len(), &mut images);
        images.sort_by_key(|&image| labels[image as usize]); // stable, so each class stays shuffled
        let mut dealt = Vec::new();
        permutation_prefix(&mut stream, shards, shards, &mut dealt);
        let mut order = Vec::with_capacity(labels.len());
        let mut ends = Vec::with_capacity(shards);
        for first in dealt {
            order.extend(images.iter().skip(first as usize).step_by(shards));
            ends.push(order.len() as u32);
        }
        Self { order, ends }
    }

    /// Returns the number of shards, at least 1.
    pub fn shards(&self) -> usize {
        self.ends.len()
    }

    /// Returns the positions in the training set of a shard's images.
    ///
    /// # Panics
    ///
    /// Panics if `shard` is not below [`shards`](Self::shards).
    pub fn images(&self, shard: usize) -> &[u32] {
        let start = shard.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.order[start as usize..self.ends[shard] as usize]
    }

    /// Returns the positions in the training set of all images, shard by shard, `[count]`.
    pub fn into_order(self) -> Vec<u32> {
        self.order
    }
}

/// Returns the number of shards of `count` images, at least 1 and at most `count`.
fn shard_count(count: u64, image_bytes: u64) -> usize {
    count
        .saturating_mul(image_bytes)
        .div_ceil(SHARD_BYTES)
        .clamp(1, count) as usize
}
