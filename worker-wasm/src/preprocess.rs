//! Preprocesses drawings like the digits of MNIST: crops them to the ink, scales them into a box of 20 x 20, and moves the
//! centre of mass to the middle of 28 x 28. The proportions stay.
//!
//! Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits". The centre is pixel (14, 14), as in
//! every digit of that database.

use std::ops::Range;

/// Rows and columns of an image.
const SIDE: usize = 28;
/// Maximum rows and columns of the scaled ink.
const BOX: usize = 20;
/// Row and column of the centre of mass.
const CENTRE: f32 = 14.0;

/// Returns the image, `[28 x 28]`, of grey values in rows of `width`.
///
/// `None` if there is no ink, or the last row is incomplete.
pub fn normalize(ink: &[u8], width: usize) -> Option<[u8; SIDE * SIDE]> {
    if width == 0 || !ink.len().is_multiple_of(width) {
        return None;
    }
    let (rows, columns) = ink_bounds(ink, width)?;
    let longest = rows.len().max(columns.len());
    let fit = |length: usize| ((length * BOX) as f32 / longest as f32).round().max(1.0) as usize;
    let size = (fit(rows.len()), fit(columns.len()));
    let scaled = scale(ink, width, (&rows, &columns), size);
    Some(center(&scaled, size.1))
}

/// Returns the rows and columns from the first with ink to the last.
fn ink_bounds(ink: &[u8], width: usize) -> Option<(Range<usize>, Range<usize>)> {
    let inked = ink.iter().enumerate().filter(|(_, grey)| **grey > 0);
    inked
        .map(|(index, _)| (index / width, index % width))
        .fold(None, |so_far, (row, column)| {
            let (rows, columns) = so_far.unwrap_or((row..row + 1, column..column + 1));
            let with = |range: Range<usize>, at: usize| range.start.min(at)..range.end.max(at + 1);
            Some((with(rows, row), with(columns, column)))
        })
}

/// Returns the mean over the area that each pixel of the smaller picture covers, `[size]`.
fn scale(
    ink: &[u8],
    width: usize,
    (rows, columns): (&Range<usize>, &Range<usize>),
    size: (usize, usize),
) -> Vec<f32> {
    let down = coverage(rows, size.0);
    let across = coverage(columns, size.1);
    let mean = |row: usize, column: usize| {
        let along = |from: usize| -> f32 {
            across[column]
                .iter()
                .map(|(at, fraction)| fraction * f32::from(ink[from * width + at]))
                .sum()
        };
        down[row]
            .iter()
            .map(|(at, fraction)| fraction * along(*at))
            .sum::<f32>()
    };
    (0..size.0 * size.1)
        .map(|index| mean(index / size.1, index % size.1))
        .collect()
}

/// Splits a range into `count` equal parts, and returns the positions in each part with their fractions of the part.
fn coverage(range: &Range<usize>, count: usize) -> Vec<Vec<(usize, f32)>> {
    let part = range.len() as f32 / count as f32;
    let of_part = |index: usize| {
        let from = index as f32 * part;
        let to = (index + 1) as f32 * part;
        let last = (to.ceil() as usize).min(range.len());
        let covered = |at: usize| (to.min(at as f32 + 1.0) - from.max(at as f32)).max(0.0) / part;
        (from as usize..last)
            .map(|at| (range.start + at, covered(at)))
            .collect()
    };
    (0..count).map(of_part).collect()
}

/// Places a picture of at most 20 x 20 in an image, with its centre of mass as close to the middle as possible.
fn center(picture: &[f32], columns: usize) -> [u8; SIDE * SIDE] {
    let mut mass = 0.0;
    let mut down = 0.0;
    let mut across = 0.0;
    for (index, grey) in picture.iter().enumerate() {
        mass += grey;
        down += grey * (index / columns) as f32;
        across += grey * (index % columns) as f32;
    }
    let start = |moment: f32, length: usize| {
        let start = (CENTRE - moment / mass).round().max(0.0) as usize;
        start.min(SIDE - length)
    };
    let top = start(down, picture.len() / columns);
    let left = start(across, columns);
    let mut image = [0; SIDE * SIDE];
    for (index, grey) in picture.iter().enumerate() {
        image[(top + index / columns) * SIDE + left + index % columns] = grey.round() as u8;
    }
    image
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;
    use farsign::dataset::{Dataset, IdxFile, IdxPair};

    fn digits() -> Dataset {
        let images = include_bytes!("../../data/mnist-10k/t10k-images-idx3-ubyte.gz");
        let labels = include_bytes!("../../data/mnist-10k/t10k-labels-idx1-ubyte.gz");
        Dataset::training(IdxPair {
            images: IdxFile {
                name: "images",
                bytes: images,
            },
            labels: IdxFile {
                name: "labels",
                bytes: labels,
            },
        })
        .expect("the built-in digits are valid")
    }

    /// Returns the image with each pixel enlarged to a square, and with a margin.
    fn enlarged(image: &[u8], times: usize, (top, left): (usize, usize)) -> (Vec<u8>, usize) {
        let width = left + SIDE * times + 3;
        let height = top + SIDE * times + 5;
        let mut ink = vec![0; width * height];
        for (index, row) in ink
            .chunks_exact_mut(width)
            .enumerate()
            .skip(top)
            .take(SIDE * times)
        {
            for (column, grey) in row.iter_mut().enumerate().skip(left).take(SIDE * times) {
                *grey = image[(index - top) / times * SIDE + (column - left) / times];
            }
        }
        (ink, width)
    }

    #[test]
    fn enlarged_digit_is_restored() {
        let digits = digits();
        for index in 0..digits.len() {
            let times = 1 + index % 10;
            let corner = (index % 7, index % 11);
            let (ink, width) = enlarged(digits.image(index), times, corner);
            let image = normalize(&ink, width).expect("there is ink");
            assert_eq!(
                image[..],
                *digits.image(index),
                "digit {index}, enlarged {times} times"
            );
        }
    }

    #[test]
    fn drawing_fits_and_keeps_ink() {
        for (width, height) in [
            (1, 1),
            (1, 500),
            (500, 1),
            (3, 7),
            (280, 280),
            (19, 20),
            (333, 111),
        ] {
            let image = normalize(&vec![200; width * height], width).expect("there is ink");
            let (rows, columns) = ink_bounds(&image, SIDE).expect("there is ink");
            assert_eq!(rows.len().max(columns.len()), BOX, "{width} x {height}");
            assert!(
                image.iter().all(|&grey| grey == 0 || grey == 200),
                "{width} x {height}: {image:?}"
            );
            let proportions =
                columns.len() as f32 / rows.len() as f32 * height as f32 / width as f32;
            let thin = rows.len() == 1 || columns.len() == 1;
            assert!(
                thin || (0.8..1.25).contains(&proportions),
                "{width} x {height}: {rows:?} {columns:?}"
            );
        }
    }

    #[test]
    fn empty_drawing_has_no_image() {
        assert_eq!(normalize(&[], 0), None);
        assert_eq!(normalize(&[], 28), None);
        assert_eq!(normalize(&[0; 100], 10), None);
        assert_eq!(normalize(&[9; 101], 10), None, "a row is incomplete");
    }
}
