//! Seeded minibatches: which images a task is about.

use ndarray::Array2;

use crate::dataset::Dataset;
use crate::random::Stream;

/// Images and labels of one minibatch, in buffers that are filled again for every task.
#[derive(Clone, Debug, Default)]
pub struct Minibatch {
    /// Pixel values scaled to `[0, 1]`, `[batch, pixels]`.
    pub inputs: Array2<f32>,
    /// Class of each image, `[batch]`.
    pub labels: Vec<u8>,
}

/// Indices of the minibatch `seed` draws from `count` images: uniform, with replacement. `count >= 1`.
pub fn indices(seed: u64, count: usize, batch: usize) -> impl Iterator<Item = usize> {
    let mut stream = Stream::new(seed);
    (0..batch).map(move |_| stream.below(count as u64) as usize)
}

impl Minibatch {
    /// Fills this batch with the `batch` images that `seed` draws from `data`.
    pub fn draw(&mut self, data: &Dataset, seed: u64, batch: usize) {
        self.fill(data, batch, indices(seed, data.len(), batch));
    }

    /// Fills this batch with the images of `range`, in order.
    pub fn slice(&mut self, data: &Dataset, range: std::ops::Range<usize>) {
        self.fill(data, range.len(), range);
    }

    fn fill(&mut self, data: &Dataset, batch: usize, indices: impl Iterator<Item = usize>) {
        if self.inputs.dim() != (batch, data.pixels()) {
            self.inputs = Array2::zeros((batch, data.pixels()));
        }
        self.labels.clear();
        for (index, mut row) in indices.zip(self.inputs.rows_mut()) {
            for (value, &byte) in row.iter_mut().zip(data.image(index)) {
                *value = f32::from(byte) / 255.0;
            }
            self.labels.push(data.label(index));
        }
    }
}
