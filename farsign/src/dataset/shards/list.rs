//! The list of shards, whose digest names the training data.

use sha2::{Digest, Sha256};

use super::error::ShardListError;
use crate::dataset::idx::{IMAGES_HEADER_BYTES, LABELS_HEADER_BYTES};
use crate::dataset::{MAX_FILE_BYTES, parse_hexadecimal};

/// Largest number of shards of a training set: its largest size divided by [`SHARD_BYTES`](super::SHARD_BYTES).
pub const MAX_SHARDS: usize = 1024;

/// Size of the headers of the two files in an unpacked shard.
const HEADERS_BYTES: u64 = IMAGES_HEADER_BYTES + LABELS_HEADER_BYTES;

/// A shard in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardEntry {
    /// SHA-256 of the unpacked shard.
    pub digest: [u8; 32],
    /// Number of images, at least 1.
    pub images: usize,
}

/// The shards of a training set in order, with the size of an image and the number of classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardList {
    rows: usize,
    cols: usize,
    classes: usize,
    entries: Vec<ShardEntry>,
    /// Number of images up to the end of each shard, `[shards]`.
    ends: Vec<usize>,
    digest: [u8; 32],
}

impl ShardList {
    /// Creates a list of shards of images with `rows` rows and `cols` columns in `classes` classes.
    ///
    /// # Errors
    ///
    /// Returns an error if no training set has such shards.
    pub fn new(
        rows: usize,
        cols: usize,
        classes: usize,
        entries: Vec<ShardEntry>,
    ) -> Result<Self, ShardListError> {
        if !(1..=MAX_SHARDS).contains(&entries.len()) {
            return Err(ShardListError::Count {
                limit: MAX_SHARDS,
                found: entries.len(),
            });
        }
        if let Some(shard) = entries.iter().position(|entry| entry.images == 0) {
            return Err(ShardListError::NoImages { shard });
        }
        if rows == 0 || cols == 0 {
            return Err(ShardListError::EmptyImages { rows, cols });
        }
        if !(2..=256).contains(&classes) {
            return Err(ShardListError::Classes { found: classes });
        }
        let found = entries
            .iter()
            .fold(0_u64, |sum, entry| sum.saturating_add(entry.images as u64))
            .saturating_mul(rows as u64)
            .saturating_mul(cols as u64);
        if found > MAX_FILE_BYTES {
            return Err(ShardListError::TooLarge {
                limit: MAX_FILE_BYTES,
                found,
            });
        }
        Ok(Self::assemble(rows, cols, classes, entries))
    }

    /// Creates a list as [`ShardList::new`] does, of shards with their digests in hexadecimal, as servers send it.
    ///
    /// # Errors
    ///
    /// Returns an error if a digest is not 64 hexadecimal digits, or no training set has such shards.
    pub fn from_hexadecimal<'a>(
        rows: usize,
        cols: usize,
        classes: usize,
        shards: impl IntoIterator<Item = (&'a str, usize)>,
    ) -> Result<Self, ShardListError> {
        let entry = |(shard, (digest, images))| match parse_hexadecimal(digest) {
            Some(digest) => Ok(ShardEntry { digest, images }),
            None => Err(ShardListError::Digest { shard }),
        };
        let entries = shards.into_iter().enumerate().map(entry);
        Self::new(rows, cols, classes, entries.collect::<Result<_, _>>()?)
    }

    /// Creates a list from valid parts.
    pub(super) fn assemble(
        rows: usize,
        cols: usize,
        classes: usize,
        entries: Vec<ShardEntry>,
    ) -> Self {
        let mut images = 0;
        let ends = entries
            .iter()
            .map(|entry| {
                images += entry.images;
                images
            })
            .collect();
        let mut digest = Sha256::new();
        for entry in &entries {
            digest.update(entry.digest);
        }
        Self {
            rows,
            cols,
            classes,
            entries,
            ends,
            digest: digest.finalize().into(),
        }
    }

    /// Returns the shards in order, at least one.
    pub fn entries(&self) -> &[ShardEntry] {
        &self.entries
    }

    /// Returns the number of shards, 1 to [`MAX_SHARDS`].
    pub fn shards(&self) -> usize {
        self.entries.len()
    }

    /// Returns the size of an unpacked shard in bytes: both headers, the pixels and the labels.
    ///
    /// # Panics
    ///
    /// Panics if `shard` is not below [`shards`](Self::shards).
    pub fn unpacked_bytes(&self, shard: usize) -> u64 {
        HEADERS_BYTES + self.entries[shard].images as u64 * (self.pixels() as u64 + 1)
    }

    /// Returns the size in bytes that a gzipped shard does not exceed, even if it does not shrink.
    ///
    /// # Panics
    ///
    /// Panics if `shard` is not below [`shards`](Self::shards).
    pub fn max_packed_bytes(&self, shard: usize) -> u64 {
        let unpacked = self.unpacked_bytes(shard);
        unpacked + unpacked / 1000 + 1024 // deflate adds 5 bytes to a block of 16 KiB or more, and gzip a header
    }

    /// Returns the number of images of all shards.
    pub fn images(&self) -> usize {
        self.ends.last().copied().unwrap_or_default()
    }

    /// Returns the number of images of the first `shards` shards; of all, if there are fewer.
    pub fn images_of_first(&self, shards: usize) -> usize {
        let last = shards.min(self.ends.len()).checked_sub(1);
        last.map_or(0, |last| self.ends[last])
    }

    /// Returns the number of images up to the end of each shard, `[shards]`.
    pub(super) fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// Returns the number of rows of an image.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the number of columns of an image.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Returns the number of pixels of an image: rows x columns.
    pub fn pixels(&self) -> usize {
        self.rows * self.cols
    }

    /// Returns the number of classes, 2 to 256.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the digest of the training data: SHA-256 of the digests of the shards, one after the other.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}
