//! Recognizes handwritten digits, which the page lets visitors draw.

use std::sync::Arc;

use farsign::dataset::{Dataset, DatasetError};
use serde::Serialize;

/// Rows and columns of MNIST's images.
const SIDE: usize = 28;

/// Classes of digits.
const DIGITS: usize = 10;

/// Images that are compared with the built-in digits.
const SAMPLES: usize = 500;

/// Fraction of the samples that must be nearest to the mean of their own digit. MNIST has 0.8, and digits that are
/// turned, mirrored, or black on white have less than half.
const MIN_FRACTION: f64 = 0.6;

/// The content of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// Handwritten digits as in MNIST: upright, white on black, 28 x 28, and labelled with their values.
    Digits,
    /// Any other images.
    Images,
}

impl Content {
    /// Compares a dataset with digits, which are only loaded if the size and the classes agree.
    ///
    /// # Errors
    /// Returns the error of loading the digits.
    pub fn of(
        data: &Dataset,
        digits: impl FnOnce() -> Result<Arc<Dataset>, DatasetError>,
    ) -> Result<Self, DatasetError> {
        if (data.rows(), data.cols()) != (SIDE, SIDE) || data.classes() > DIGITS {
            return Ok(Self::Images);
        }
        let means = digit_means(&*digits()?);
        let samples = data.len().min(SAMPLES);
        let matching = (0..samples)
            .map(|sample| sample * data.len() / samples)
            .filter(|&at| nearest(&means, data.image(at)) == usize::from(data.label(at)))
            .count();
        Ok(if matching as f64 >= MIN_FRACTION * samples as f64 {
            Self::Digits
        } else {
            Self::Images
        })
    }
}

/// Returns the mean image of each digit.
fn digit_means(digits: &Dataset) -> Vec<Vec<f32>> {
    let mut sums = vec![vec![0.0; digits.pixels()]; DIGITS];
    let mut counts = [0.0; DIGITS];
    for index in 0..digits.len() {
        let digit = usize::from(digits.label(index));
        counts[digit] += 1.0;
        let pixels = sums[digit].iter_mut().zip(digits.image(index));
        pixels.for_each(|(sum, &pixel)| *sum += f32::from(pixel));
    }
    for (sum, count) in sums.iter_mut().zip(counts) {
        sum.iter_mut().for_each(|pixel| *pixel /= count);
    }
    sums
}

/// Returns the position of the nearest mean.
fn nearest(means: &[Vec<f32>], image: &[u8]) -> usize {
    let distance = |mean: &[f32]| -> f32 {
        let differences = mean.iter().zip(image);
        differences
            .map(|(mean, &pixel)| (mean - f32::from(pixel)).powi(2))
            .sum()
    };
    let distances = means.iter().map(|mean| distance(mean));
    distances
        .enumerate()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(0, |(position, _)| position)
}

#[cfg(test)]
mod tests {
    use farsign::dataset::DatasetParts;

    use super::*;
    use crate::data::loader;

    fn content(data: &Dataset) -> Content {
        let digits = || loader::built_in().map(|built_in| built_in.train);
        Content::of(data, digits).unwrap()
    }

    /// Returns some of the built-in digits with each image and label replaced.
    fn changed(image: impl Fn(&[u8]) -> Vec<u8>, label: impl Fn(u8) -> u8) -> Dataset {
        let digits = loader::built_in().unwrap().held_out;
        let positions = 0..digits.len().min(400);
        let images = positions.clone().flat_map(|at| image(digits.image(at)));
        let labels = positions.map(|at| label(digits.label(at)));
        Dataset::from_parts(DatasetParts {
            rows: SIDE,
            cols: SIDE,
            images: images.collect(),
            labels: labels.collect(),
        })
        .unwrap()
    }

    /// Returns the image that `source` gives for each row and column.
    fn moved(image: &[u8], source: impl Fn(usize, usize) -> (usize, usize)) -> Vec<u8> {
        let pixels = (0..SIDE * SIDE).map(|pixel| source(pixel / SIDE, pixel % SIDE));
        pixels.map(|(row, col)| image[row * SIDE + col]).collect()
    }

    #[test]
    fn upright_digits_are_recognized() {
        let digits = changed(<[u8]>::to_vec, |label| label);
        assert_eq!(content(&digits), Content::Digits);
        let of_three = digits.select((0..digits.len()).filter(|&at| digits.label(at) < 3));
        assert_eq!(content(&of_three), Content::Digits);
    }

    #[test]
    fn other_images_are_not_digits() {
        let last = SIDE - 1;
        let on_their_side = changed(|image| moved(image, |r, c| (c, r)), |label| label);
        let turned = changed(|image| moved(image, |r, c| (c, last - r)), |label| label);
        let mirrored = changed(|image| moved(image, |r, c| (r, last - c)), |label| label);
        let inverted = changed(|image| image.iter().map(|p| 255 - p).collect(), |l| l);
        let relabelled = changed(<[u8]>::to_vec, |label| (label + 1) % 10);
        for (name, data) in [
            ("on their side", on_their_side),
            ("turned", turned),
            ("mirrored", mirrored),
            ("inverted", inverted),
            ("relabelled", relabelled),
        ] {
            assert_eq!(content(&data), Content::Images, "{name}");
        }
        let other_size = Dataset::from_parts(DatasetParts {
            rows: 1,
            cols: 2,
            images: vec![0, 255, 255, 0],
            labels: vec![0, 1],
        });
        assert_eq!(content(&other_size.unwrap()), Content::Images);
    }
}
