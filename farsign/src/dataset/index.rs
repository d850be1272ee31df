//! The pixels of a dataset that are not zero: one of five in a digit.

use super::Dataset;

/// For each image, the pixels that are not zero and their values, pixels rising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PixelIndex {
    /// Image `i` is `starts[i]..starts[i + 1]` of the entries; one more than there are images.
    starts: Vec<u32>,
    pixels: Vec<u16>,
    values: Vec<u8>,
}

impl PixelIndex {
    /// Of a dataset's images; none when their pixels or all that are not zero are too many to be counted.
    pub(super) fn new(data: &Dataset) -> Option<Self> {
        let entries = data.images().iter().filter(|&&byte| byte != 0).count();
        u16::try_from(data.pixels()).ok()?;
        u32::try_from(entries).ok()?;
        let mut index = Self {
            starts: Vec::with_capacity(data.len() + 1),
            pixels: Vec::with_capacity(entries),
            values: Vec::with_capacity(entries),
        };
        index.starts.push(0);
        for image in data.images().chunks_exact(data.pixels()) {
            for (pixel, &byte) in image.iter().enumerate().filter(|(_, byte)| **byte != 0) {
                index.pixels.push(pixel as u16);
                index.values.push(byte);
            }
            index.starts.push(index.pixels.len() as u32);
        }
        Some(index)
    }

    /// Pixels and values of an image.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn image(&self, image: usize) -> (&[u16], &[u8]) {
        let range = self.starts[image] as usize..self.starts[image + 1] as usize;
        (&self.pixels[range.clone()], &self.values[range])
    }
}
