//! Minibatches drawn by a seed, as sparse matrices.
//!
//! Four of five pixels of a digit are zero, and a zero adds nothing to any sum. A minibatch therefore stores only the
//! nonzero pixels of each image.

use std::ops::Range;

use crate::dataset::{Dataset, DatasetView, DrawnImages, PixelIndex};
use crate::random::Stream;

/// A sparse matrix in compressed rows: for each row, the nonzero columns in rising order and their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SparseRows {
    /// Row `r` is `starts[r]..starts[r + 1]` of the entries, `[rows + 1]`.
    starts: Vec<u32>,
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl SparseRows {
    /// Removes all rows. The buffers are kept.
    pub fn clear(&mut self) {
        self.starts.clear();
        self.starts.push(0);
        self.columns.clear();
        self.values.clear();
    }

    /// Adds an entry to the current row. Columns must rise.
    pub fn push(&mut self, column: usize, value: f32) {
        self.columns.push(column as u32);
        self.values.push(value);
    }

    /// Ends the current row.
    pub fn end_row(&mut self) {
        self.starts.push(self.columns.len() as u32);
    }

    /// Adds a row with the positive values of `row`.
    ///
    /// Signs are effectively random, so a branch would be mispredicted half of the time. Every value is written
    /// instead, and the next one overwrites it unless it is positive.
    pub fn push_positive_row(&mut self, row: &[f32]) {
        let mut end = self.columns.len();
        self.columns.resize(end + row.len(), 0);
        self.values.resize(end + row.len(), 0.0);
        for (column, &value) in row.iter().enumerate() {
            (self.columns[end], self.values[end]) = (column as u32, value);
            end += usize::from(value > 0.0);
        }
        self.columns.truncate(end);
        self.values.truncate(end);
        self.end_row();
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Returns the columns and values of a row.
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.starts[row] as usize..self.starts[row + 1] as usize;
        (&self.columns[range.clone()], &self.values[range])
    }

    /// Writes the transposed matrix, which has `columns` rows, into `out`.
    pub fn transpose(&self, columns: usize, out: &mut Self) {
        out.starts.clear();
        out.starts.resize(columns + 1, 0);
        self.columns
            .iter()
            .for_each(|&c| out.starts[c as usize + 1] += 1);
        (1..=columns).for_each(|c| out.starts[c] += out.starts[c - 1]);
        out.columns.resize(self.columns.len(), 0);
        out.values.resize(self.values.len(), 0.0);
        for row in 0..self.rows() {
            let (columns, values) = self.row(row);
            for (&c, &value) in columns.iter().zip(values) {
                let next = &mut out.starts[c as usize];
                (out.columns[*next as usize], out.values[*next as usize]) = (row as u32, value);
                *next += 1;
            }
        }
        // Each start has moved to the end of its row, which is the start of the next.
        out.starts.rotate_right(1);
        out.starts[0] = 0;
    }
}

/// The images and labels of one minibatch, in buffers that are reused for every task.
#[derive(Clone, Debug, Default)]
pub struct Minibatch {
    /// Pixel values scaled to `[0, 1]`, `[batch, pixels]`, without zeros.
    pub inputs: SparseRows,
    /// Class of each image, `[batch]`.
    pub labels: Vec<u8>,
    /// Positions of the nonzero pixels, copied from a dataset's index.
    pixels: Vec<u16>,
    /// Their values.
    bytes: Vec<u8>,
}

/// Returns the indices that `seed` draws from `count` images: uniform, with replacement. `count` is at least 1.
pub fn indices(seed: u64, count: usize, batch: usize) -> impl ExactSizeIterator<Item = usize> {
    indices_in(seed, count, 0..batch)
}

/// Returns the indices at these positions of those that `seed` draws from `count` images.
pub fn indices_in(
    seed: u64,
    count: usize,
    positions: Range<usize>,
) -> impl ExactSizeIterator<Item = usize> {
    let mut stream = Stream::after(seed, positions.start as u64);
    positions.map(move |_| stream.below(count as u64) as usize)
}

impl Minibatch {
    /// Fills the minibatch with the `batch` images that `seed` draws from `data`: all images of a dataset, or of a view
    /// of the first shards.
    pub fn draw<'a>(&mut self, data: impl Into<DatasetView<'a>>, seed: u64, batch: usize) {
        let data = data.into();
        self.fill(data, indices(seed, data.len(), batch));
    }

    /// Fills the minibatch with the images of `range`, in order.
    pub fn slice(&mut self, data: &Dataset, range: Range<usize>) {
        self.fill(data.into(), range);
    }

    /// Fills the minibatch with the images of these indices, in order.
    fn fill(&mut self, data: DatasetView<'_>, indices: impl Iterator<Item = usize>) {
        self.clear();
        self.extend(data, indices);
    }

    /// Removes all images. The buffers are kept.
    pub fn clear(&mut self) {
        self.inputs.clear();
        self.labels.clear();
    }

    /// Adds the images of these indices, in order. The minibatch was cleared once.
    pub fn extend(&mut self, data: DatasetView<'_>, indices: impl Iterator<Item = usize>) {
        match data.indexed() {
            Some((data, index)) => self.extend_from(index, data, indices),
            None => {
                for index in indices {
                    let (data, position) = data.locate(index);
                    self.push(data.image(position), data.label(position));
                }
            }
        }
    }

    /// Adds images that were drawn elsewhere, in order. The minibatch was cleared once.
    pub fn extend_with(&mut self, drawn: DrawnImages<'_>) {
        for (image, label) in drawn.iter() {
            self.push(image, label);
        }
    }

    fn push(&mut self, image: &[u8], label: u8) {
        // Most pixels are zero, many of them side by side: eight are skipped at once.
        let (words, rest) = image.as_chunks::<8>();
        for (word, bytes) in words.iter().enumerate() {
            if u64::from_ne_bytes(*bytes) != 0 {
                self.push_nonzero(8 * word, bytes);
            }
        }
        self.push_nonzero(8 * words.len(), rest);
        self.inputs.end_row();
        self.labels.push(label);
    }

    /// Adds the pixels from `first` on that are not zero to the current row.
    fn push_nonzero(&mut self, first: usize, bytes: &[u8]) {
        for (pixel, &byte) in (first..).zip(bytes) {
            if byte != 0 {
                self.inputs.push(pixel, scaled(byte));
            }
        }
    }

    /// Adds images from the index: copies first and then converts. Images are scattered in memory, and a processor
    /// prefetches the next ones while it copies, but not while it converts.
    fn extend_from(
        &mut self,
        pixel_index: &PixelIndex,
        data: &Dataset,
        indices: impl Iterator<Item = usize>,
    ) {
        self.pixels.clear();
        self.bytes.clear();
        let before = self.inputs.columns.len();
        for index in indices {
            let (pixels, bytes) = pixel_index.image(index);
            self.pixels.extend_from_slice(pixels);
            self.bytes.extend_from_slice(bytes);
            let end = before + self.pixels.len();
            self.inputs.starts.push(end as u32);
            self.labels.push(data.label(index));
        }
        self.inputs
            .columns
            .extend(self.pixels.iter().map(|&pixel| u32::from(pixel)));
        self.inputs
            .values
            .extend(self.bytes.iter().map(|&byte| scaled(byte)));
    }
}

/// Returns a pixel's value, 0 to 1.
fn scaled(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::DatasetParts;

    #[test]
    fn all_sources_fill_same_minibatch() {
        let mut stream = Stream::new(3);
        let images = (0..40 * 21)
            .map(|_| (stream.below(2) * stream.below(256)) as u8)
            .collect();
        let labels = (0..40).map(|n| n % 5).collect();
        let data = Dataset::from_parts(DatasetParts {
            rows: 3,
            cols: 7,
            images,
            labels,
        })
        .unwrap();
        let indexed_data = data.clone().indexed();
        let mut plain = Minibatch::default();
        let mut others = [(); 3].map(|()| Minibatch::default());
        let mut bytes = Vec::new();
        for seed in 0..20 {
            plain.draw(&data, seed, 9);
            let [indexed, in_parts, drawn] = &mut others;
            indexed.draw(&indexed_data, seed, 9);
            in_parts.clear();
            drawn.clear();
            let mut drawn_indices = indices(seed, data.len(), 9);
            while drawn_indices.len() > 0 {
                let part: Vec<_> = drawn_indices.by_ref().take(4).collect();
                in_parts.extend((&indexed_data).into(), part.iter().copied());
                DrawnImages::write((&data).into(), part.iter().copied(), &mut bytes);
                let images = DrawnImages::read(&bytes, part.len(), data.pixels(), data.classes());
                drawn.extend_with(images.expect("the images that were written"));
            }
            for other in &others {
                let found = (&other.inputs, &other.labels);
                assert_eq!(found, (&plain.inputs, &plain.labels), "seed {seed}");
            }
        }
    }

    #[test]
    fn positions_are_drawn_alone() {
        for (start, end) in [(0, 0), (0, 9), (4, 9), (9, 9), (1000, 1003)] {
            for seed in [0, 42, u64::MAX] {
                let all = indices(seed, 77, end).skip(start);
                assert!(all.eq(indices_in(seed, 77, start..end)), "{start}..{end}");
            }
        }
    }

    #[test]
    fn transpose_moves_every_entry() {
        let dense = [[0.0, 1.0, 2.0, 0.0], [0.0; 4], [3.0, 0.0, 4.0, 0.0]];
        let mut rows = SparseRows::default();
        let mut columns = SparseRows::default();
        rows.clear();
        for row in dense {
            row.iter()
                .enumerate()
                .filter(|(_, v)| **v != 0.0)
                .for_each(|(c, &v)| rows.push(c, v));
            rows.end_row();
        }
        for _ in 0..2 {
            rows.transpose(4, &mut columns); // twice: the buffers are reused
            let found: Vec<_> = (0..columns.rows()).map(|c| columns.row(c)).collect();
            let expected: [(&[u32], &[f32]); 4] = [
                (&[2], &[3.0]),
                (&[0], &[1.0]),
                (&[0, 2], &[2.0, 4.0]),
                (&[], &[]),
            ];
            assert_eq!(found, expected);
        }
    }
}
