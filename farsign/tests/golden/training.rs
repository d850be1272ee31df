//! Digests of complete training runs: every float and every bit must be equal on every target.
//!
//! A digest of the parameters alone would hide differences, because signs absorb rounding. It therefore also covers
//! losses, estimates, momenta, projections and signs of every step, the version that they are computed on, and the images and directions they are computed
//! from.

use farsign::dataset::{Dataset, DatasetParts};
use farsign::direction::{DirectionFamily, DirectionSpec, Directions};
use farsign::estimate::zeroth_order;
use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::model::Architecture;
use farsign::momentum::Momentum;
use farsign::optimizer::{FarSign, FarSignOptions, Rule, SignUpdate};
use farsign::random::Stream;
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::task::VolunteerId;
use farsign::version::{Grid, GridSchedule, Version};
use sha2::{Digest, Sha256};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::values::Golden;

const PIXELS: usize = 144;
const CLASSES: u64 = 10;
const BATCH: usize = 64;
const STEPS: u64 = 200;

/// Mostly dark images with noise, whose classes differ in the bright pixels.
fn data() -> Dataset {
    let mut stream = Stream::new(1);
    let labels: Vec<u8> = (0..600).map(|_| stream.below(CLASSES) as u8).collect();
    let mut pixel = |label: u8, index: usize| {
        let bright = (index * 7 + usize::from(label) * 31) % 11 < 2;
        match stream.below(10) {
            0 => stream.below(256) as u8,
            1..5 if bright => 128 + stream.below(128) as u8,
            _ => 0,
        }
    };
    let images = labels
        .iter()
        .flat_map(|&label| (0..PIXELS).map(move |index| (label, index)));
    let images = images.map(|(label, index)| pixel(label, index)).collect();
    Dataset::from_parts(DatasetParts {
        rows: 12,
        cols: 12,
        images,
        labels,
    })
    .expect("consistent parts")
}

/// The digest of a run's floats and bits.
struct Record(Sha256);

impl Record {
    fn floats(&mut self, floats: &[f32]) {
        assert!(
            floats.iter().all(|float| float.is_finite()),
            "the bits of a NaN are unspecified"
        );
        floats
            .iter()
            .for_each(|float| self.0.update(float.to_bits().to_le_bytes()));
    }

    fn integers(&mut self, integers: &[i32]) {
        integers
            .iter()
            .for_each(|integer| self.0.update(integer.to_le_bytes()));
    }
}

/// Returns the cumulative digest after every fifty steps.
fn digests(widths: &[usize], family: DirectionFamily, directions: Option<usize>) -> Vec<Vec<u8>> {
    let data = data();
    let architecture = Architecture::new(widths.to_vec()).expect("an architecture");
    let d = architecture.parameters();
    let zeroth = directions.is_some();
    let spec = DirectionSpec::new(family, directions.unwrap_or(d), d).expect("directions");
    let step_size = StepSize {
        initial: 2e-3,
        decay: Decay::Cosine { horizon: 250.0 },
    };
    let x = architecture.initial_parameters(2);
    let mut optimizer =
        FarSign::new(FarSignOptions::new(&x, spec, step_size, Rule::Plain).unwrap());
    let mut kernel = Kernel::new(&architecture);
    let mut a = Directions::new(spec, 0);
    let mut batch = Minibatch::default();
    let mut signs = SignBits::default();
    let mut shifted = Vec::new();
    // Three volunteers in random order, each with a momentum of its own, which is sometimes reset.
    let mut momenta = vec![Momentum::default(); 3];
    let mut estimate = vec![0.0; if zeroth { spec.count() } else { d }];
    let mut projections = vec![0.0; spec.count()];
    let mut seeds = Stream::new(3);
    let mut record = Record(Sha256::new());
    let mut digests = Vec::new();
    let mut grids = GridSchedule::new(optimizer.x(), 0, optimizer.step_units());
    for step in 1..=STEPS {
        let grid = Grid {
            fixed_point: optimizer.fixed_point(),
            shift: grids.advance(optimizer.x(), step - 1, 3),
        };
        let version = Version::round(step, step - 1, optimizer.x(), grid);
        let x = version.parameters();
        let volunteer = seeds.below(3);
        let momentum = &mut momenta[volunteer as usize];
        batch.draw(&data, seeds.bits(), BATCH);
        a.reseed(seeds.bits());
        let loss = if zeroth {
            momentum.reset();
            let loss = |x: &[f32]| kernel.loss(x, &batch);
            zeroth_order(loss, x, &a, 1e-2, &mut shifted, &mut estimate);
            kernel.loss(x, &batch)
        } else {
            if seeds.below(8) == 0 {
                momentum.reset();
            }
            kernel.loss_and_gradient(x, &batch, &mut estimate)
        };
        let average = momentum.update(&estimate, 0.3);
        if zeroth {
            projections.copy_from_slice(average);
        } else {
            a.project(average, &mut projections);
        }
        signs.copy_from(&projections, seeds.bits());
        record.floats(&[loss]);
        record.floats(&estimate);
        record.floats(average);
        record.floats(&projections);
        record.0.update(signs.as_bytes());
        record.0.update(&batch.labels);
        (0..BATCH).for_each(|row| record.floats(batch.inputs.row(row).1));
        let update = SignUpdate {
            volunteer: VolunteerId(volunteer),
            direction_seed: a.seed(),
            trust: 1.0,
            signs: &signs,
        };
        optimizer.apply(update).expect("the run is not finished");
        record.0.update(version.hash().0);
        record.integers(optimizer.x());
        if step.is_multiple_of(50) {
            digests.push(record.0.clone().finalize().to_vec());
        }
    }
    digests
}

#[test]
fn training_run_is_bit_exact() {
    let mut golden = Golden::new("training.txt", include_str!("../../testdata/training.txt"));
    let softmax: &[usize] = &[PIXELS, 10];
    let mlp: &[usize] = &[PIXELS, 40, 10];
    let deep: &[usize] = &[PIXELS, 33, 17, 10];
    let coordinate = DirectionFamily::Coordinate;
    let hadamard = DirectionFamily::Hadamard { block: 64 };
    let sparse = DirectionFamily::Sparse { nonzeros: 16 };
    for (name, widths, family, directions) in [
        (
            "softmax, first order, coordinate",
            softmax,
            coordinate,
            None,
        ),
        ("softmax, first order, hadamard", softmax, hadamard, None),
        ("mlp, first order, coordinate", mlp, coordinate, None),
        ("mlp, first order, hadamard", mlp, hadamard, None),
        (
            "two hidden layers, first order, hadamard",
            deep,
            hadamard,
            None,
        ),
        (
            "softmax, zeroth order, coordinate",
            softmax,
            coordinate,
            Some(24),
        ),
        (
            "softmax, zeroth order, hadamard",
            softmax,
            hadamard,
            Some(24),
        ),
        ("mlp, zeroth order, sparse", mlp, sparse, Some(24)),
        (
            "softmax, zeroth order, rademacher",
            softmax,
            DirectionFamily::Rademacher,
            Some(24),
        ),
    ] {
        for (fifty, digest) in digests(widths, family, directions).iter().enumerate() {
            golden.bytes(&format!("{name}, {} steps", 50 * (fifty + 1)), digest);
        }
    }
    golden.check();
}
