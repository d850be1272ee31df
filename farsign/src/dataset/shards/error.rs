//! Errors in shards and in their list.

use thiserror::Error;

use crate::dataset::hexadecimal;

/// An error in a list of shards.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ShardListError {
    /// A list without a shard, or with too many.
    #[error("expected 1 to {limit} shards, found {found}")]
    Count { limit: usize, found: usize },
    /// A digest in another form.
    #[error("shard {shard}: expected a digest of 64 hexadecimal digits, found other text")]
    Digest { shard: usize },
    /// A shard without images.
    #[error("expected at least one image in shard {shard}, found 0")]
    NoImages { shard: usize },
    /// Images without a pixel.
    #[error("expected images of at least one pixel, found {rows} rows of {cols} columns")]
    EmptyImages { rows: usize, cols: usize },
    /// A number of classes that no training set has.
    #[error("expected 2 to 256 classes, found {found}")]
    Classes { found: usize },
    /// A list of more images than a training set may have.
    #[error("expected at most {limit} bytes of images in all shards, found {found}")]
    TooLarge { limit: u64, found: u64 },
}

/// An error in a shard. The shard is dropped as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ShardError {
    /// A shard after the last one.
    #[error("expected no shard after the last of {shards}, found another")]
    NoneLeft { shards: usize },
    /// Bytes that are not gzip data.
    #[error("shard {shard}: expected gzip data, found {reason}")]
    Gzip { shard: usize, reason: String },
    /// A shard of another size than its list has.
    #[error("shard {shard}: expected {expected} unpacked bytes, found {found}")]
    Size {
        shard: usize,
        expected: u64,
        found: String,
    },
    /// A shard with other content than its list has.
    #[error(
        "shard {shard}: expected content with the digest {}, found {}; a cache or a proxy in between changed it",
        hexadecimal(*expected), hexadecimal(*found)
    )]
    Digest {
        shard: usize,
        expected: [u8; 32],
        found: [u8; 32],
    },
    /// A shard whose header is not that of its list.
    #[error(
        "shard {shard}: expected the headers of {images} images of {rows} rows and {cols} columns, found others"
    )]
    Header {
        shard: usize,
        images: usize,
        rows: usize,
        cols: usize,
    },
    /// A label whose class is not in the list.
    #[error("shard {shard}: expected labels below {classes}, found {found}")]
    Label {
        shard: usize,
        classes: usize,
        found: u8,
    },
    /// More images than this machine has memory for.
    #[error("shard {shard}: expected memory for {bytes} bytes, found too little")]
    OutOfMemory { shard: usize, bytes: u64 },
}
