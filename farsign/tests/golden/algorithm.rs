//! Values drawn by seeds, and results of fixed sequences of operations.

use std::sync::Arc;

use farsign::dataset::{Dataset, DatasetParts, ShardPlan, ShardedDataset};
use farsign::direction::{DirectionFamily, DirectionSpec, Directions};
use farsign::minibatch;
use farsign::model::Architecture;
use farsign::momentum::Momentum;
use farsign::optimizer::{FarSign, FarSignOptions, Rule, SignUpdate};
use farsign::random::{Stream, permutation_prefix};
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::task::VolunteerId;
use sha2::{Digest, Sha256};

use crate::values::Golden;

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SEEDS: [u64; 4] = [0, 1, 42, u64::MAX];

/// Test inputs in `[-0.5, 0.5)`.
fn vector(seed: u64, len: usize) -> Vec<f32> {
    let mut stream = Stream::new(seed);
    (0..len).map(|_| stream.unit() - 0.5).collect()
}

fn digest(floats: &[f32]) -> [u8; 32] {
    let bytes: Vec<u8> = floats
        .iter()
        .flat_map(|float| float.to_le_bytes())
        .collect();
    Sha256::digest(bytes).into()
}

#[test]
fn random() {
    let mut golden = Golden::new("random.txt", include_str!("../../testdata/random.txt"));
    for seed in SEEDS {
        let mut stream = Stream::new(seed);
        golden.longs(
            &format!("stream seed {seed}"),
            (0..8).map(|_| stream.bits()),
        );
        let mut stream = Stream::new(seed);
        golden.floats(
            &format!("unit seed {seed}"),
            &[(); 8].map(|()| stream.unit()),
        );
        for (count, take) in [(10, 10), (11, 4), (7850, 16)] {
            let mut out = Vec::new();
            permutation_prefix(&mut Stream::new(seed), count, take, &mut out);
            let name = format!("permutation seed {seed} count {count} take {take}");
            golden.indices(&name, out.iter().map(|&index| index as usize));
        }
    }
    golden.check();
}

#[test]
fn minibatches() {
    let mut golden = Golden::new(
        "minibatches.txt",
        include_str!("../../testdata/minibatches.txt"),
    );
    for seed in SEEDS {
        for (count, batch) in [(1, 3), (4, 8), (8500, 16), (60_000, 128)] {
            let name = format!("seed {seed} count {count} batch {batch}");
            golden.indices(&name, minibatch::indices(seed, count, batch));
        }
    }
    golden.check();
}

#[test]
fn shards() {
    let mut golden = Golden::new("shards.txt", include_str!("../../testdata/shards.txt"));
    for seed in SEEDS {
        for (count, classes, image_bytes) in [(1, 2, 784), (10, 2, 300_000), (30, 3, 250_000)] {
            let labels: Vec<u8> = (0..count)
                .map(|image| (image * image % classes) as u8)
                .collect();
            let plan = ShardPlan::new(&labels, image_bytes, seed);
            for shard in 0..plan.shards() {
                let name =
                    format!("seed {seed} images {count} of {image_bytes} bytes shard {shard}");
                let images = plan.images(shard).iter().map(|&image| image as usize);
                golden.indices(&name, images);
            }
        }
    }
    let data = Dataset::from_parts(DatasetParts {
        rows: 1024,
        cols: 512,
        images: (0..5 << 19).map(|at| (at % 251) as u8).collect(),
        labels: vec![0, 1, 0, 1, 2],
    });
    let shards = ShardedDataset::cut(Arc::new(data.unwrap()));
    for (shard, entry) in shards.list().entries().iter().enumerate() {
        golden.bytes(&format!("digest of shard {shard}"), &entry.digest);
    }
    golden.bytes("digest of the training data", &shards.digest());
    golden.check();
}

/// Every family, complete and partial, with blocks that divide `d` and blocks that leave a tail (11 = 4 + 4 + 2 + 1).
fn specs() -> Vec<DirectionSpec> {
    let hadamard = |block| DirectionFamily::Hadamard { block };
    let sparse = |nonzeros| DirectionFamily::Sparse { nonzeros };
    let specs = [
        (DirectionFamily::Coordinate, 11, 11),
        (DirectionFamily::Coordinate, 4, 11),
        (hadamard(4), 12, 12),
        (hadamard(4), 11, 11),
        (hadamard(4), 5, 11),
        (hadamard(64), 90, 90),
        (hadamard(16), 7, 45),
        (DirectionFamily::Rademacher, 1, 11),
        (DirectionFamily::Rademacher, 11, 11),
        (DirectionFamily::Rademacher, 3, 70),
        (sparse(1), 11, 11),
        (sparse(2), 3, 11),
        (sparse(32), 2, 70),
    ];
    specs
        .map(|(family, count, d)| DirectionSpec::new(family, count, d).unwrap())
        .to_vec()
}

#[test]
fn directions() {
    let mut golden = Golden::new(
        "directions.txt",
        include_str!("../../testdata/directions.txt"),
    );
    for spec in specs() {
        for seed in [0, 42] {
            let count = spec.count();
            let d = spec.parameters();
            let mut directions = Directions::new(spec, seed);
            let name = format!("{:?} {count} of {d} seed {seed}", spec.family());
            for k in [0, count - 1].into_iter().take(count) {
                let mut row = vec![0.0; d];
                directions.add_row(k, 1.0, &mut row);
                golden.floats(&format!("{name} row {k}"), &row);
            }
            let mut y = vec![0.0; count];
            directions.project(&vector(7, d), &mut y);
            golden.floats(&format!("{name} project"), &y);
            let mut signs = SignBits::default();
            let mut x: Vec<i32> = (0..d as i32).collect();
            signs.copy_from(&y, 9);
            directions.accumulate(&signs, |nonzeros| -1000 / nonzeros as i32, &mut x);
            golden.integers(&format!("{name} accumulate"), &x);
        }
    }
    golden.check();
}

#[test]
fn signs() {
    let mut golden = Golden::new("signs.txt", include_str!("../../testdata/signs.txt"));
    for len in [1, 7, 8, 9, 63, 64, 65, 130] {
        for seed in [0, 42] {
            let mut signs = SignBits::default();
            signs.copy_from(&vector(seed, len), seed);
            golden.bytes(&format!("{len} numbers coin seed {seed}"), signs.as_bytes());
            signs.copy_from(&vec![0.0; len], seed);
            golden.bytes(&format!("{len} zeros coin seed {seed}"), signs.as_bytes());
            let mixed: Vec<f32> = (0..len)
                .map(|k| [1e-45, -0.0, -1e-45, 0.0, 3e38][k % 5])
                .collect();
            signs.copy_from(&mixed, seed);
            golden.bytes(&format!("{len} mixed coin seed {seed}"), signs.as_bytes());
            golden.bytes(
                &format!("{len} mixed coin seed {seed} flipped"),
                signs.flipped().as_bytes(),
            );
        }
    }
    golden.check();
}

#[test]
fn initial_parameters() {
    let mut golden = Golden::new(
        "parameters.txt",
        include_str!("../../testdata/parameters.txt"),
    );
    for seed in [0, 42] {
        for widths in [vec![3, 2], vec![3, 4, 2], vec![2, 3, 3, 2]] {
            let architecture = Architecture::new(widths).unwrap();
            golden.floats(
                &format!("{architecture} seed {seed}"),
                &architecture.initial_parameters(seed),
            );
        }
        let mlp = Architecture::new(vec![784, 128, 10]).unwrap();
        golden.bytes(
            &format!("{mlp} seed {seed} sha256"),
            &digest(&mlp.initial_parameters(seed)),
        );
    }
    golden.check();
}

#[test]
fn momentum() {
    let mut golden = Golden::new("momentum.txt", include_str!("../../testdata/momentum.txt"));
    for beta in [1.0, 0.3, 0.05] {
        let mut momentum = Momentum::default();
        for task in 0..6 {
            let name = format!("beta {beta} task {task}");
            golden.floats(&name, momentum.update(&vector(task, 5), beta));
        }
        momentum.reset();
        golden.floats(
            &format!("beta {beta} after a reset"),
            momentum.update(&vector(6, 5), beta),
        );
        // Momentum that decays below the flush limit becomes zero and stays zero.
        momentum.reset();
        momentum.update(&[1e-28, -1e-30, 1.1e-30, 0.0, 1e-38], beta);
        for _ in 0..12 {
            momentum.update(&[0.0; 5], beta);
        }
        let decayed = momentum.update(&[0.0, 0.0, 0.0, 1e-38, -1e-29], beta);
        golden.floats(&format!("beta {beta} decayed"), decayed);
    }
    golden.check();
}

#[test]
fn optimizer() {
    let mut golden = Golden::new(
        "optimizer.txt",
        include_str!("../../testdata/optimizer.txt"),
    );
    let rules = [
        ("plain", Rule::Plain),
        (
            "vote",
            Rule::Vote {
                gamma: 0.04,
                direction_seed: 3,
            },
        ),
    ];
    let decays = [
        ("constant", Decay::Constant),
        ("cosine", Decay::Cosine { horizon: 50.0 }),
        (
            "power",
            Decay::PowerLaw {
                offset: 10.0,
                exponent: 0.75,
            },
        ),
    ];
    for (rule_name, rule) in rules {
        for (decay_name, decay) in decays {
            let directions =
                DirectionSpec::new(DirectionFamily::Hadamard { block: 4 }, 11, 11).unwrap();
            let step_size = StepSize {
                initial: 0.01,
                decay,
            };
            let mut optimizer = FarSign::new(
                FarSignOptions::new(&vector(1, 11), directions, step_size, rule).unwrap(),
            );
            let mut signs = SignBits::default();
            for n in 0..40 {
                signs.copy_from(&vector(100 + n, 11), n);
                // Volunteer 0 sends twice as often as 1 and 2.
                let volunteer = VolunteerId([0, 1, 0, 2][n as usize % 4]);
                let update = SignUpdate {
                    volunteer,
                    direction_seed: n,
                    trust: 1.0,
                    signs: &signs,
                };
                optimizer.apply(update).unwrap();
            }
            golden.integers(&format!("{rule_name} {decay_name} after 40"), optimizer.x());
        }
    }
    golden.check();
}
