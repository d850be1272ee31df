//! The images that a task draws from.

use std::sync::Arc;

use crate::dataset::{Dataset, PixelIndex};

/// The images that a task draws from: a dataset, or the first shards of a training set. It has at least one image.
#[derive(Clone, Copy, Debug)]
pub struct DatasetView<'a> {
    rows: Rows<'a>,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
enum Rows<'a> {
    /// The images of a dataset in its own order.
    Dataset(&'a Dataset),
    /// Image `i` is at position `order[i]` of a dataset.
    Ordered(&'a Dataset, &'a [u32]),
    /// The images of several datasets, with the number of images up to the end of each.
    Shards(&'a [Arc<Dataset>], &'a [usize]),
}

impl<'a> DatasetView<'a> {
    /// Creates a view of the first `len` images of a dataset in another order.
    pub(super) fn ordered(data: &'a Dataset, order: &'a [u32], len: usize) -> Self {
        let rows = Rows::Ordered(data, order);
        Self { rows, len }
    }

    /// Creates a view of the images of shards, at least one, with the number of images up to the end of each.
    pub(super) fn shards(shards: &'a [Arc<Dataset>], ends: &'a [usize]) -> Self {
        Self {
            rows: Rows::Shards(shards, ends),
            len: ends[shards.len() - 1],
        }
    }

    /// Returns the number of images, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a view is never empty")]
    pub fn len(self) -> usize {
        self.len
    }

    /// Returns the dataset with image `index`, and the image's position in it.
    ///
    /// # Panics
    ///
    /// Panics if `index` is not below [`len`](Self::len).
    pub fn locate(self, index: usize) -> (&'a Dataset, usize) {
        assert!(index < self.len, "expected an image below {}", self.len);
        match self.rows {
            Rows::Dataset(data) => (data, index),
            Rows::Ordered(data, order) => (data, order[index] as usize),
            Rows::Shards(shards, ends) => {
                let shard = ends.partition_point(|&end| end <= index);
                let start = shard.checked_sub(1).map_or(0, |before| ends[before]);
                (&shards[shard], index - start)
            }
        }
    }

    /// Returns the dataset of all images with its index of nonzero pixels; `None` if there is no such dataset or index.
    pub(crate) fn indexed(self) -> Option<(&'a Dataset, &'a PixelIndex)> {
        match self.rows {
            Rows::Dataset(data) => Some((data, data.index()?)),
            Rows::Ordered(..) | Rows::Shards(..) => None,
        }
    }
}

impl<'a> From<&'a Dataset> for DatasetView<'a> {
    fn from(data: &'a Dataset) -> Self {
        Self {
            rows: Rows::Dataset(data),
            len: data.len(),
        }
    }
}

impl<'a> From<&'a Arc<Dataset>> for DatasetView<'a> {
    fn from(data: &'a Arc<Dataset>) -> Self {
        Self::from(&**data)
    }
}
