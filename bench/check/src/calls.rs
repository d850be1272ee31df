//! The calls whose times are compared, each with its peer.
//!
//! All calls have the size of the default network, 784-128-10, with one direction per parameter.

use std::hint::black_box;

use farsign::dataset::{Dataset, DatasetParts};
use farsign::direction::{DirectionFamily, DirectionSpec, Directions};
use farsign::fixed_point::FixedPoint;
use farsign::kernels::reference::Reference;
use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::model::Architecture;
use farsign::optimizer::{FarSign, FarSignOptions, Rule, SignUpdate};
use farsign::random::Stream;
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::{TaskId, VolunteerId};
use farsign::version::{Grid, Version};
use farsign::wire::{ClientFrame, ClientRecord, EncodedVersion, read_client_frame};

use crate::pair::Pair;

/// Layer widths of the model.
const WIDTHS: [usize; 3] = [784, 128, 10];
/// Images in a minibatch.
const BATCH: usize = 128;
/// Seed of everything random.
const SEED: u64 = 5;
/// Step size of every step.
const ALPHA: f32 = 5e-4;
/// Fraction bits of the parameters.
const FRACTION_BITS: u8 = 27;
/// Step of a version's grid in units, as a power of two: four steps of the optimizer.
const SHIFT: u8 = 18;
/// Rate of the running vote.
const GAMMA: f32 = 0.04;

/// `FarSign::apply` with the rule `plain`, next to a copy of the parameters.
pub fn apply_plain() -> Pair {
    apply(Rule::Plain)
}

/// `FarSign::apply` with the rule `vote`, next to a copy of the parameters.
pub fn apply_vote() -> Pair {
    apply(Rule::Vote {
        gamma: GAMMA,
        direction_seed: SEED,
    })
}

/// `Step::take`, next to a copy of the parameters.
pub fn take_step() -> Pair {
    let mut x = quantized();
    let peer = copy(x.clone());
    let fixed_point = FixedPoint::new(FRACTION_BITS).expect("at most 30 bits");
    let mut directions = Directions::new(directions(), SEED);
    let step = Step {
        direction_seed: SEED,
        scale: -ALPHA,
        signs: signs(),
    };
    let call = move || black_box(&step).take(&mut directions, fixed_point, black_box(&mut x));
    pair(call, peer)
}

/// `SignBits::copy_from`, which packs one sign per parameter, next to a copy of the parameters.
pub fn pack_signs() -> Pair {
    let values = parameters();
    let peer = copy(values.clone());
    let mut signs = SignBits::default();
    pair(
        move || black_box(&mut signs).copy_from(black_box(&values), SEED),
        peer,
    )
}

/// `Kernel::loss_and_gradient` on a minibatch, next to the same with ndarray.
pub fn gradient() -> Pair {
    let architecture = architecture();
    let x = architecture.initial_parameters(SEED);
    let batch = minibatch();
    let mut gradient = vec![0.0; x.len()];
    let mut kernel = Kernel::new(&architecture);
    let mut reference = Reference::new(&architecture);
    let x2 = x.clone();
    let batch2 = batch.clone();
    let mut gradient2 = gradient.clone();
    pair(
        move || _ = kernel.loss_and_gradient(black_box(&x), &batch, black_box(&mut gradient)),
        move || _ = reference.loss_and_gradient(black_box(&x2), &batch2, black_box(&mut gradient2)),
    )
}

/// Encoding of an update's frame, next to a copy of its sign bits.
pub fn encode_update() -> Pair {
    let signs = signs();
    let peer = copy(signs.as_bytes().to_vec());
    let mut frame = Vec::new();
    let call = move || ClientFrame::update(TaskId(1), black_box(&signs), black_box(&mut frame));
    pair(call, peer)
}

/// Decoding of an update's frame, next to a copy of its sign bits.
pub fn decode_update() -> Pair {
    let mut signs = signs();
    let peer = copy(signs.as_bytes().to_vec());
    let mut frame = Vec::new();
    ClientFrame::update(TaskId(1), &signs, &mut frame);
    let call = move || {
        let record = read_client_frame(black_box(&frame)).expect("a valid frame");
        let ClientRecord::Update { bits, .. } = record else {
            panic!("expected an update, found {record:?}")
        };
        let count = signs.count();
        let read = black_box(&mut signs).copy_from_bytes(bits, count);
        read.expect("valid sign bits");
    };
    pair(call, peer)
}

/// Rounding of the parameters to a version's grid, with its hash, next to a copy of the parameters.
pub fn round_version() -> Pair {
    let x = quantized();
    let peer = copy(x.clone());
    pair(move || _ = black_box(version(&x)), peer)
}

/// Encoding of a version as differences to one before, next to a copy of the parameters.
pub fn encode_version() -> Pair {
    let [base, newer] = versions();
    let peer = copy(base.k().to_vec());
    let call = move || _ = black_box(EncodedVersion::new(&newer, Some(black_box(&base))));
    pair(call, peer)
}

/// Decoding of a version from differences, with its hash, next to a copy of the parameters.
pub fn decode_version() -> Pair {
    let [base, newer] = versions();
    let peer = copy(base.k().to_vec());
    let mut coded = Vec::new();
    newer.write_differences(Some(&base), &mut coded);
    let call = move || {
        let coded = black_box(&coded);
        let d = base.k().len();
        let decoded = Version::from_differences(Some(&base), 2, base.grid(), coded, d);
        black_box(decoded.expect("valid differences"));
    };
    pair(call, peer)
}

/// Returns parameters in units, as those of a network that has been trained.
fn quantized() -> Vec<i32> {
    let fixed_point = FixedPoint::new(FRACTION_BITS).expect("at most 30 bits");
    let small: Vec<f32> = parameters().iter().map(|x| 0.2 * x).collect();
    fixed_point.quantize(&small).expect("small parameters")
}

/// Returns two versions between which every parameter moves by about half a step of the grid.
fn versions() -> [Version; 2] {
    let x = quantized();
    let signs = signs();
    let moved: Vec<i32> = x
        .iter()
        .zip(signs.iter())
        .map(|(x, sign)| x + sign as i32 * (1 << (SHIFT - 1)))
        .collect();
    [version(&x), version(&moved)]
}

fn version(x: &[i32]) -> Version {
    let fixed_point = FixedPoint::new(FRACTION_BITS).expect("at most 30 bits");
    let grid = Grid {
        fixed_point,
        shift: SHIFT,
    };
    Version::round(1, 1, black_box(x), grid)
}

fn apply(rule: Rule) -> Pair {
    let x = parameters();
    let peer = copy(x.clone());
    let signs = signs();
    let step_size = StepSize {
        initial: f64::from(ALPHA),
        decay: Decay::Constant,
    };
    let options = FarSignOptions::new(&x, directions(), step_size, rule);
    let mut optimizer = FarSign::new(options.expect("small steps fit"));
    optimizer.join(VolunteerId(1));
    let call = move || {
        let update = SignUpdate {
            volunteer: VolunteerId(1),
            direction_seed: SEED,
            trust: 1.0,
            signs: black_box(&signs),
        };
        let applied = black_box(&mut optimizer).apply(update);
        applied.expect("an update of this model");
    };
    pair(call, peer)
}

fn pair(call: impl FnMut() + 'static, peer: impl FnMut() + 'static) -> Pair {
    Pair {
        call: Box::new(call),
        peer: Box::new(peer),
    }
}

/// Returns the standard library's copy of a slice (`memcpy`).
fn copy<T: Copy + 'static>(from: Vec<T>) -> impl FnMut() {
    let mut to = from.clone();
    move || black_box(&mut to).copy_from_slice(black_box(&from))
}

fn architecture() -> Architecture {
    Architecture::new(WIDTHS.to_vec()).expect("a valid architecture")
}

fn directions() -> DirectionSpec {
    let d = architecture().parameters();
    DirectionSpec::new(DirectionFamily::Coordinate, d, d).expect("one direction per parameter")
}

/// Returns parameters between -0.5 and 0.5, without zeros.
fn parameters() -> Vec<f32> {
    let mut stream = Stream::new(SEED);
    let count = architecture().parameters();
    (0..count).map(|_| stream.unit() - 0.500_1).collect()
}

fn signs() -> SignBits {
    let mut signs = SignBits::default();
    signs.copy_from(&parameters(), SEED);
    signs
}

/// Returns images of which every fifth pixel is bright, as in handwritten digits.
fn minibatch() -> Minibatch {
    let mut stream = Stream::new(SEED);
    let mut pixel = |_| match stream.below(5) {
        0 => 1 + stream.below(255) as u8,
        _ => 0,
    };
    let [pixels, _, classes] = WIDTHS;
    let parts = DatasetParts {
        rows: 28,
        cols: 28,
        images: (0..BATCH * pixels).map(&mut pixel).collect(),
        labels: (0..BATCH).map(|image| (image % classes) as u8).collect(),
    };
    let data = Dataset::from_parts(parts).expect("valid images");
    let mut batch = Minibatch::default();
    batch.slice(&data, 0..BATCH);
    batch
}
