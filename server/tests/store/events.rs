//! Random events of a small run, and what they lead to.

use farsign::activity::MemberState;
use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::optimizer::{FarSign, FarSignOptions, FarSignState, Rule};
use farsign::random::Stream;
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::{TaskId, VolunteerId};
use farsign_server::store::event::{Accepted, Checkpoint, Cursor, Event, Head, Identity};
use farsign_server::store::replay;

/// Parameters of the model.
pub const D: usize = 37;

pub const RULES: [Rule; 2] = [Rule::Plain, Rule::Vote { gamma: 0.1, direction_seed: 77 }];

pub fn options(rule: Rule) -> FarSignOptions {
    let directions = DirectionSpec::new(DirectionFamily::Hadamard { block: 8 }, D, D).unwrap();
    let step_size = StepSize { initial: 0.01, decay: Decay::Cosine { horizon: 5_000.0 } };
    FarSignOptions { x: vec![0.5; D], directions, step_size, rule }
}

pub fn identity() -> Identity {
    Identity { seed: 1, run_id: 2, train_digest: [3; 32], settings: String::new() }
}

pub fn beginning(rule: Rule) -> Checkpoint {
    let state = FarSign::new(options(rule)).state();
    Checkpoint { head: Head::default(), cursor: Cursor::default(), state }
}

fn signs(stream: &mut Stream) -> SignBits {
    let y: Vec<f32> = (0..D).map(|_| stream.unit() - 0.5).collect();
    let mut signs = SignBits::default();
    signs.set_from(&y, 0);
    signs
}

pub fn event(stream: &mut Stream) -> Event {
    let volunteer = VolunteerId(stream.below(20));
    match stream.below(16) {
        0 => Event::Join(volunteer),
        1 => Event::Leave(volunteer),
        2 => {
            let (direction_seed, scale) = (stream.bits(), stream.unit() - 0.5);
            Event::Undone { volunteer, step: Step { direction_seed, scale, signs: signs(stream) } }
        }
        _ => Event::Accepted(Accepted {
            volunteer,
            task: TaskId(stream.bits()),
            direction_seed: stream.bits(),
            trust: 0.05 + stream.unit(),
            signs: signs(stream),
        }),
    }
}

/// A cursor that tells which batch it belongs to.
pub fn cursor(batch: u64) -> Cursor {
    Cursor { issued: batch, words_drawn: u128::from(batch), ..Cursor::default() }
}

pub fn apply(optimizer: &mut FarSign, event: &Event) {
    replay::apply(optimizer, 0, event).expect("the event fits the run");
}

/// A state with floats as bits, so that comparisons are exact.
pub type Bits = (Vec<u32>, Vec<u32>, u64, u64, Vec<MemberState>);

pub fn bits(optimizer: &FarSign) -> Bits {
    let FarSignState { x, votes, accepted, weight, members } = optimizer.state();
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
    (bits(x), bits(votes), accepted, weight.to_bits(), members)
}
