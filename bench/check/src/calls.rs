//! The calls whose times are compared, each with its peer.
//!
//! All calls have the size of the default network, 784-128-10, with one direction per parameter.

use std::hint::black_box;
use std::sync::Arc;

use farsign::dataset::{Dataset, DatasetParts};
use farsign::direction::{DirectionFamily, DirectionSpec, Directions};
use farsign::kernels::reference::Reference;
use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::model::Architecture;
use farsign::optimizer::{FarSign, FarSignOptions, Rule, SignUpdate};
use farsign::random::Stream;
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::{Task, TaskId, VolunteerId};
use farsign::wire::{
    ClientFrame, ClientRecord, EncodedSnapshot, ServerFrame, ServerRecord, read_client_frame,
    read_server_frame,
};

use crate::pair::Pair;

/// Layer widths of the model.
const WIDTHS: [usize; 3] = [784, 128, 10];
/// Images in a minibatch.
const BATCH: usize = 128;
/// Seed of everything random.
const SEED: u64 = 5;
/// Step size: small, so that the parameters stay where they are.
const ALPHA: f32 = 1e-9;
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
    let mut x = parameters();
    let peer = copy(x.clone());
    let mut directions = Directions::new(directions(), SEED);
    let step = Step {
        direction_seed: SEED,
        scale: -ALPHA,
        signs: signs(),
    };
    let call = move || black_box(&step).take(&mut directions, black_box(&mut x));
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
    let (x2, batch2, mut gradient2) = (x.clone(), batch.clone(), gradient.clone());
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

/// Encoding of a task with a new snapshot, next to a copy of the parameters.
pub fn encode_snapshot() -> Pair {
    let x: Arc<[f32]> = parameters().into();
    let peer = copy(x.to_vec());
    let mut frame = Vec::new();
    pair(move || snapshot_frame(&x, black_box(&mut frame)), peer)
}

/// Decoding of a task with a snapshot, next to a copy of the parameters.
pub fn decode_snapshot() -> Pair {
    let mut x = parameters();
    let peer = copy(x.clone());
    let mut frame = Vec::new();
    snapshot_frame(&x.clone().into(), &mut frame);
    let call = move || {
        for record in read_server_frame(black_box(&frame)).expect("a valid frame") {
            if let ServerRecord::Snapshot(snapshot) = record.expect("a valid record") {
                snapshot.unpack(black_box(&mut x)).expect("finite numbers");
            }
        }
    };
    pair(call, peer)
}

fn snapshot_frame(x: &Arc<[f32]>, frame: &mut Vec<u8>) {
    let snapshot = EncodedSnapshot::new(1, Arc::clone(x));
    let task = Task {
        id: TaskId(2),
        snapshot_version: 1,
        minibatch_seed: SEED,
        direction_seed: SEED,
        coin_seed: SEED,
        reset_momentum: false,
    };
    let mut frame = ServerFrame::new(frame);
    frame.accepted(TaskId(1), 1).snapshot(&snapshot).task(&task);
}

fn apply(rule: Rule) -> Pair {
    let x = parameters();
    let peer = copy(x.clone());
    let signs = signs();
    let step_size = StepSize {
        initial: f64::from(ALPHA),
        decay: Decay::Constant,
    };
    let mut optimizer = FarSign::new(FarSignOptions {
        x,
        directions: directions(),
        step_size,
        rule,
    });
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
