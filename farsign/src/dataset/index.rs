//! An index of a dataset's nonzero pixels, which are one of five in a digit.

use super::Dataset;

/// An index of the nonzero pixels of each image, in rising order, with their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PixelIndex {
    /// Image `i` is `starts[i]..starts[i + 1]` of the entries, `[count + 1]`.
    starts: Vec<u32>,
    pixels: Vec<u16>,
    values: Vec<u8>,
}

impl PixelIndex {
    /// Creates the index of a dataset. `None` if an image has more than 65,536 pixels, or all images more than
    /// `u32::MAX` nonzero ones.
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

    /// Returns the nonzero pixels of an image and their values.
    ///
    /// # Panics
    ///
    /// Panics if `image` is not below the number of images.
    pub fn image(&self, image: usize) -> (&[u16], &[u8]) {
        let range = self.starts[image] as usize..self.starts[image + 1] as usize;
        (&self.pixels[range.clone()], &self.values[range])
    }
}
