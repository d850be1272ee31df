//! Random events of a small run, and the resulting states.

use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::keys::{Key, RunKeys};
use farsign::optimizer::{FarSign, FarSignOptions, FarSignState, Rule};
use farsign::random::Stream;
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::{Task, TaskId, VolunteerId};
use farsign::version::VersionHash;
use farsign::weighting::SenderState;
use farsign_server::store::event::{
    Accepted, Checkpoint, CoordinatorCounters, Event, LogPosition, RunIdentity,
};
use farsign_server::store::replay;

/// Parameters of the model.
pub const D: usize = 37;

pub const RULES: [Rule; 2] = [
    Rule::Plain,
    Rule::Vote {
        gamma: 0.1,
        direction_seed: 77,
    },
];

pub fn options(rule: Rule) -> FarSignOptions {
    let directions = DirectionSpec::new(DirectionFamily::Hadamard { block: 8 }, D, D).unwrap();
    let step_size = StepSize {
        initial: 0.01,
        decay: Decay::Cosine { horizon: 5_000.0 },
    };
    FarSignOptions::new(&[0.5; D], directions, step_size, rule).unwrap()
}

pub fn identity() -> RunIdentity {
    RunIdentity {
        keys: RunKeys {
            tasks: Key::new([1; 32]),
            sampling: Key::new([2; 32]),
        },
        seed: 1,
        run_id: 2,
        train_digest: [3; 32],
        settings: String::new(),
    }
}

pub fn initial(rule: Rule) -> Checkpoint {
    let state = FarSign::new(options(rule)).state();
    Checkpoint {
        position: LogPosition::default(),
        counters: CoordinatorCounters::default(),
        state,
    }
}

fn signs(stream: &mut Stream) -> SignBits {
    let y: Vec<f32> = (0..D).map(|_| stream.unit() - 0.5).collect();
    let mut signs = SignBits::default();
    signs.copy_from(&y, 0);
    signs
}

pub fn event(stream: &mut Stream) -> Event {
    let volunteer = VolunteerId(stream.below(20));
    match stream.below(16) {
        0 => Event::Join(volunteer),
        1 => Event::Leave(volunteer),
        2 => {
            let direction_seed = stream.bits();
            let scale = stream.unit() - 0.5;
            Event::RolledBack {
                volunteer,
                step: Step {
                    direction_seed,
                    scale,
                    signs: signs(stream),
                },
            }
        }
        _ => Event::Accepted(Accepted {
            volunteer,
            task: Task {
                id: TaskId(stream.bits()),
                version: VersionHash([stream.below(256) as u8; 32]),
                minibatch_seed: stream.bits(),
                direction_seed: stream.bits(),
                coin_seed: stream.bits(),
                images: stream.bits() as u32,
                shards: 1,
                reset_momentum: stream.below(2) == 0,
            },
            trust: 0.05 + stream.unit(),
            signs: signs(stream).into(),
        }),
    }
}

/// Returns counters that identify a batch.
pub fn counters(batch: u64) -> CoordinatorCounters {
    CoordinatorCounters {
        position: batch,
        ..CoordinatorCounters::default()
    }
}

pub fn apply(optimizer: &mut FarSign, event: &Event) {
    replay::apply(optimizer, 0, event).expect("the event fits the run");
}

/// A state with floats as bits, for exact comparisons.
pub type Bits = (Vec<i32>, Vec<u32>, u64, u64, Vec<SenderState>);

pub fn bits(optimizer: &FarSign) -> Bits {
    let FarSignState {
        x,
        fraction_bits: _,
        votes,
        accepted,
        weight,
        senders,
    } = optimizer.state();
    let votes = votes.into_iter().map(f32::to_bits).collect();
    (x, votes, accepted, weight.to_bits(), senders)
}
