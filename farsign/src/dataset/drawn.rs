//! Drawn images as bytes, for a computer of updates that does not hold the data.

use super::shards::DatasetView;

/// Images of a minibatch with their labels, as bytes: the pixels of all images, then one label each.
#[derive(Clone, Copy, Debug)]
pub struct DrawnImages<'a> {
    /// Pixels of an image, at least 1.
    pixels: usize,
    /// `[count, pixels]`
    images: &'a [u8],
    /// `[count]`
    labels: &'a [u8],
}

impl<'a> DrawnImages<'a> {
    /// Reads the bytes of `count` images of `pixels` pixels each.
    ///
    /// `None` if they have another size, or a label is not below `classes`.
    pub fn read(bytes: &'a [u8], count: usize, pixels: usize, classes: usize) -> Option<Self> {
        let (images, labels) = bytes.split_at_checked(count.checked_mul(pixels)?)?;
        let has_labels = labels.iter().all(|&label| usize::from(label) < classes);
        let is_whole = pixels > 0 && labels.len() == count && has_labels;
        is_whole.then_some(Self {
            pixels,
            images,
            labels,
        })
    }

    /// Writes the images of these indices into `out`, which is cleared first.
    pub fn write(
        data: DatasetView<'_>,
        indices: impl Iterator<Item = usize> + Clone,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        for index in indices.clone() {
            let (data, position) = data.locate(index);
            out.extend_from_slice(data.image(position));
        }
        out.extend(indices.map(|index| {
            let (data, position) = data.locate(index);
            data.label(position)
        }));
    }

    /// Returns the images with their labels, in order.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], u8)> {
        let labels = self.labels.iter().copied();
        self.images.chunks_exact(self.pixels).zip(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dataset, DatasetParts};
    use super::*;

    fn two_images() -> Dataset {
        let parts = DatasetParts {
            rows: 1,
            cols: 2,
            images: vec![9, 0, 0, 7],
            labels: vec![0, 1],
        };
        Dataset::from_parts(parts).expect("well-formed data")
    }

    #[test]
    fn written_images_are_read() {
        let mut bytes = vec![1, 2, 3];
        DrawnImages::write((&two_images()).into(), [1, 0, 1].into_iter(), &mut bytes);
        assert_eq!(bytes, [0, 7, 9, 0, 0, 7, 1, 0, 1]);
        let images = DrawnImages::read(&bytes, 3, 2, 2).expect("three images");
        let expected: [(&[u8], u8); 3] = [(&[0, 7], 1), (&[9, 0], 0), (&[0, 7], 1)];
        assert_eq!(images.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn damaged_images_are_rejected() {
        let bytes = [0, 7, 9, 0, 1, 0];
        assert!(DrawnImages::read(&bytes, 2, 2, 2).is_some());
        for (count, pixels, classes) in [
            (2, 2, 1),
            (1, 2, 2),
            (3, 2, 2),
            (2, 0, 2),
            (2, usize::MAX, 2),
        ] {
            let found = DrawnImages::read(&bytes, count, pixels, classes);
            assert!(found.is_none(), "{count} of {pixels} in {classes}");
        }
        assert!(DrawnImages::read(&bytes[..5], 2, 2, 2).is_none());
        assert!(DrawnImages::read(&[], 2, 2, 2).is_none());
    }
}
