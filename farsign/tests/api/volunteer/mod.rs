//! The volunteer state machine: training with a server, verification and errors.

mod errors;
mod server;
mod shards;
mod training;
mod verification;

use farsign::dataset::{Dataset, DatasetParts};
use farsign::fixed_point::FixedPoint;
use farsign::random::Stream;
use farsign::version::Grid;

/// Noisy 4 x 4 images of three classes: row 0, 1 or 2 is slightly brighter than the rest.
fn images(seed: u64, count: usize) -> Dataset {
    let mut stream = Stream::new(seed);
    let labels: Vec<u8> = (0..count).map(|i| (i % 3) as u8).collect();
    let mut pixel =
        |label: u8, row: u8| stream.below(150) as u8 + if row == label { 60 } else { 0 };
    let rows = labels
        .iter()
        .flat_map(|&label| (0..4).map(move |row| (label, row)));
    let images = rows
        .flat_map(|(label, row)| [(); 4].map(|()| pixel(label, row)))
        .collect();
    Dataset::from_parts(DatasetParts {
        rows: 4,
        cols: 4,
        images,
        labels,
    })
    .unwrap()
}

/// A grid with a step of `2^shift` units of `2^-fraction_bits`.
fn grid(fraction_bits: u8, shift: u8) -> Grid {
    let fixed_point = FixedPoint::new(fraction_bits).unwrap();
    Grid { fixed_point, shift }
}
