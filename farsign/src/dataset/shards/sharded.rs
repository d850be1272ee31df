//! A training set in shards: all of it, or the first shards.

use std::fmt;
use std::io::Read;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::error::ShardError;
use super::list::{ShardEntry, ShardList};
use super::plan::ShardPlan;
use super::view::DatasetView;
use crate::dataset::idx::{IMAGES_HEADER_BYTES, MAX_DEFLATE_RATIO, images_header, labels_header};
use crate::dataset::{Dataset, DatasetParts, GzipReader};

/// A training set in shards: the whole set at the server, or the first shards, which grow at a volunteer.
///
/// A clone shares the images.
#[derive(Clone)]
pub struct ShardedDataset {
    list: Arc<ShardList>,
    images: Images,
}

#[derive(Clone)]
enum Images {
    /// The whole set, with the position of each image in it, shard by shard.
    Whole {
        data: Arc<Dataset>,
        order: Arc<[u32]>,
    },
    /// The first shards.
    Held(Vec<Arc<Dataset>>),
}

impl ShardedDataset {
    /// Cuts a training set into shards by a seed of its own digest. The images are not copied.
    pub fn cut(data: Arc<Dataset>) -> Self {
        let seed = data
            .digest()
            .first_chunk()
            .map_or(0, |&seed| u64::from_le_bytes(seed));
        let plan = ShardPlan::new(data.labels(), data.pixels(), seed);
        let entries = (0..plan.shards())
            .map(|shard| ShardEntry {
                digest: digest_of(&data, plan.images(shard)),
                images: plan.images(shard).len(),
            })
            .collect();
        let list = ShardList::assemble(data.rows(), data.cols(), data.classes(), entries);
        Self {
            list: Arc::new(list),
            images: Images::Whole {
                data,
                order: plan.into_order().into(),
            },
        }
    }

    /// Creates the data of a volunteer, which holds none of the shards yet.
    pub fn new(list: impl Into<Arc<ShardList>>) -> Self {
        Self {
            list: list.into(),
            images: Images::Held(Vec::new()),
        }
    }

    /// Returns the list of all shards.
    pub fn list(&self) -> &Arc<ShardList> {
        &self.list
    }

    /// Returns the digest of the training data, whichever shards are held.
    pub fn digest(&self) -> [u8; 32] {
        self.list.digest()
    }

    /// Returns the number of shards that are held: the first ones in the list.
    pub fn held(&self) -> usize {
        match &self.images {
            Images::Whole { .. } => self.list.shards(),
            Images::Held(shards) => shards.len(),
        }
    }

    /// Returns whether every shard is held.
    pub fn is_complete(&self) -> bool {
        self.held() == self.list.shards()
    }

    /// Returns whether a shard is held, which is enough for a first task.
    pub fn is_ready(&self) -> bool {
        self.held() > 0
    }

    /// Returns the images of the first `shards` shards; `None` if `shards` is 0 or more than are held.
    pub fn first(&self, shards: usize) -> Option<DatasetView<'_>> {
        let last = shards.checked_sub(1)?;
        match &self.images {
            Images::Whole { data, order } => {
                let len = *self.list.ends().get(last)?;
                Some(DatasetView::ordered(data, order, len))
            }
            Images::Held(held) => Some(match held.get(..shards)? {
                [only] => DatasetView::from(only),
                held => DatasetView::shards(held, &self.list.ends()[..shards]),
            }),
        }
    }

    /// Returns a shard, unpacked: an IDX file of its images, then one of its labels. `None` if it is not held.
    pub fn unpacked_shard(&self, shard: usize) -> Option<Vec<u8>> {
        let end = *self.list.ends().get(shard)?;
        let start = end - self.list.entries()[shard].images;
        Some(match &self.images {
            Images::Whole { data, order } => {
                unpacked_shard(data, &order[start..end], self.list.unpacked_bytes(shard))
            }
            Images::Held(held) => {
                let data = held.get(shard)?;
                [data.to_idx_images(), data.to_idx_labels()].concat()
            }
        })
    }

    /// Adds the next shard in the list, gzipped as the server sends it.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not that shard, or the memory is too small. The data is unchanged then.
    pub fn push(&mut self, packed: &[u8]) -> Result<(), ShardError> {
        let shards = self.list.shards();
        match &mut self.images {
            Images::Held(held) if held.len() < shards => {
                held.push(Arc::new(unpack(packed, &self.list, held.len())?));
                Ok(())
            }
            _ => Err(ShardError::NoneLeft { shards }),
        }
    }

    /// Returns the same shards with the data of each replaced by `map`; `None` if `map` returns `None`.
    ///
    /// The list stays that of the original: this is for attackers that train on other labels.
    #[must_use]
    pub fn replaced(&self, map: impl Fn(&Dataset) -> Option<Dataset>) -> Option<Self> {
        let images = match &self.images {
            Images::Whole { data, order } => Images::Whole {
                data: Arc::new(map(data)?),
                order: order.clone(),
            },
            Images::Held(held) => {
                let mapped = held.iter().map(|data| Some(Arc::new(map(data)?)));
                Images::Held(mapped.collect::<Option<_>>()?)
            }
        };
        Some(Self {
            list: Arc::clone(&self.list),
            images,
        })
    }
}

/// A training set that is one shard, in its own order.
impl From<Arc<Dataset>> for ShardedDataset {
    fn from(data: Arc<Dataset>) -> Self {
        let entry = ShardEntry {
            digest: data.digest(),
            images: data.len(),
        };
        let list = ShardList::assemble(data.rows(), data.cols(), data.classes(), vec![entry]);
        Self {
            list: Arc::new(list),
            images: Images::Held(vec![data]),
        }
    }
}

/// Omits the pixels.
impl fmt::Debug for ShardedDataset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ShardedDataset")
            .field("shards", &self.list.shards())
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

/// Passes the unpacked shard of the images at these positions of a dataset to `write`, part by part.
fn write_shard(data: &Dataset, positions: &[u32], mut write: impl FnMut(&[u8])) {
    write(&images_header(positions.len(), data.rows(), data.cols()));
    for &position in positions {
        write(data.image(position as usize));
    }
    write(&labels_header(positions.len()));
    for &position in positions {
        write(&[data.label(position as usize)]);
    }
}

fn digest_of(data: &Dataset, positions: &[u32]) -> [u8; 32] {
    let mut digest = Sha256::new();
    write_shard(data, positions, |bytes| digest.update(bytes));
    digest.finalize().into()
}

/// Returns the unpacked shard of the images at these positions of a dataset, which has `bytes` bytes.
fn unpacked_shard(data: &Dataset, positions: &[u32], bytes: u64) -> Vec<u8> {
    let mut shard = Vec::with_capacity(bytes as usize);
    write_shard(data, positions, |part| shard.extend_from_slice(part));
    shard
}

/// Unpacks the shard with this position in a list.
fn unpack(packed: &[u8], list: &ShardList, shard: usize) -> Result<Dataset, ShardError> {
    let entry = list.entries()[shard];
    let images_bytes = IMAGES_HEADER_BYTES as usize + entry.images * list.pixels();
    let expected = list.unpacked_bytes(shard) as usize;
    let mut unpacked = unpack_gzip(packed, expected, shard)?;
    let found = Sha256::digest(&unpacked).into();
    if found != entry.digest {
        return Err(ShardError::Digest {
            shard,
            expected: entry.digest,
            found,
        });
    }
    let rows = list.rows();
    let cols = list.cols();
    let classes = list.classes();
    let labels = unpacked.split_off(images_bytes);
    let labels = labels.strip_prefix(&labels_header(entry.images)[..]);
    let has_images_header = unpacked.starts_with(&images_header(entry.images, rows, cols));
    let Some(labels) = labels.filter(|_| has_images_header) else {
        return Err(ShardError::Header {
            shard,
            images: entry.images,
            rows,
            cols,
        });
    };
    if let Some(&found) = labels.iter().find(|label| usize::from(**label) >= classes) {
        return Err(ShardError::Label {
            shard,
            classes,
            found,
        });
    }
    unpacked.drain(..IMAGES_HEADER_BYTES as usize);
    let parts = DatasetParts {
        rows,
        cols,
        images: unpacked,
        labels: labels.to_vec(),
    };
    Ok(Dataset::with_digest(parts, classes, entry.digest))
}

/// Unpacks gzip data of exactly `expected` bytes. Other data costs no more memory.
fn unpack_gzip(packed: &[u8], expected: usize, shard: usize) -> Result<Vec<u8>, ShardError> {
    let most = (packed.len() as u64).saturating_mul(MAX_DEFLATE_RATIO);
    let capacity = (expected as u64).min(most);
    let mut unpacked = Vec::new();
    unpacked
        .try_reserve_exact(capacity as usize)
        .map_err(|_| ShardError::OutOfMemory {
            shard,
            bytes: capacity,
        })?;
    let mut reader = GzipReader::new(packed);
    let gzip = |error: std::io::Error| ShardError::Gzip {
        shard,
        reason: error.to_string(),
    };
    let size = |found: String| ShardError::Size {
        shard,
        expected: expected as u64,
        found,
    };
    (&mut reader)
        .take(expected as u64)
        .read_to_end(&mut unpacked)
        .map_err(gzip)?;
    if unpacked.len() < expected {
        return Err(size(unpacked.len().to_string()));
    }
    // Reading to the end also validates the gzip checksum.
    match reader.read(&mut [0]).map_err(gzip)? {
        0 => Ok(unpacked),
        _ => Err(size("more".to_owned())),
    }
}
