//! The order in which a file stores the pixels of an image.

use super::Dataset;

/// An order of the pixels of an image in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PixelOrder {
    /// Row by row, as IDX has it.
    #[default]
    Rows,
    /// Column by column, as in EMNIST. Read row by row, such images are on their side.
    Columns,
}

impl Dataset {
    /// Returns the images upright if they were read from files with this order. Rows and columns stay what the header
    /// says.
    #[must_use]
    pub fn stored_by(mut self, order: PixelOrder) -> Self {
        if order == PixelOrder::Rows {
            return self;
        }
        let (rows, cols) = (self.rows, self.cols);
        let mut stored = vec![0; rows * cols];
        for image in self.images.chunks_exact_mut(rows * cols) {
            stored.copy_from_slice(image);
            for (index, pixel) in image.iter_mut().enumerate() {
                let (row, col) = (index / cols, index % cols);
                *pixel = stored[col * rows + row];
            }
        }
        self.digest = self.compute_digest();
        self.index = self
            .index
            .is_some()
            .then(|| super::PixelIndex::new(&self))
            .flatten();
        self
    }
}
